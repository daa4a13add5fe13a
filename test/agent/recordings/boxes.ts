/** Boxes of an MP4, as ISO/IEC 14496-12 has them. */
export function box(name: string, ...inside: Buffer[]): Buffer {
  const head = Buffer.alloc(8);
  const bytes = Buffer.concat(inside);
  head.writeUInt32BE(8 + bytes.length);
  head.write(name, 4, 'latin1');
  return Buffer.concat([head, bytes]);
}

/** The box that says what kind a track is: `vide`, `soun`. */
export function hdlr(kind: string): Buffer {
  return box('hdlr', Buffer.alloc(8), Buffer.from(kind, 'latin1'), Buffer.alloc(13));
}
