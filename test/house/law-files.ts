/** Which files state laws, and which cite them. */
import { filesIn, PRODUCT, type SourceFile } from './tree.ts';

export function lawFiles(): SourceFile[] {
  return [
    ...filesIn([...PRODUCT, 'installers', 'test/house']).filter((file) => !file.path.endsWith('.test.ts')),
  ];
}

export function testFiles(): SourceFile[] {
  return filesIn(['test']).filter((file) => file.path.endsWith('.test.ts') || file.path.endsWith('/run.ts'));
}
