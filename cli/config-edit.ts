/**
 * Adds a source to `agent.yaml`, with every comment kept. The file is replaced whole, and only by one that the agent
 * accepts.
 */
import { TilsynError } from '../protocol/errors.ts';
import { readTextFile } from './settings.ts';

export async function addSource(file: string, source: Record<string, string>): Promise<void> {
  const [{ isSeq, parseDocument }, { parseConfig, replaceFile }] = await Promise.all([
    import('yaml'),
    import('../agent/main.ts'),
  ]);
  const text = readTextFile(file, 'the configuration');
  const { recordings } = parseConfig(text, file);
  if (recordings.some(({ root }) => root === source.root)) {
    throw new TilsynError('config.doubled', `adding a source to ${file}: this root stands there already`, {
      hint: 'Change its entry in the file.',
      exit: 'conflict',
    });
  }
  const document = parseDocument(text);
  if (!isSeq(document.get('sources'))) document.set('sources', document.createNode([]));
  const list = document.get('sources');
  if (isSeq(list)) list.add(document.createNode(source));
  const changed = document.toString();
  // Whatever was written there before, the agent has to start on what is written now.
  parseConfig(changed, file);
  replaceFile(file, changed);
}
