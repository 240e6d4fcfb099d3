/** Orders texts as Redis does, by the bytes of their UTF-8. */
export function byBytes(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => new TextEncoder().encode(text)) as [
    Uint8Array,
    Uint8Array,
  ];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    if (x[i] !== y[i]) return x[i]! - y[i]!;
  }
  return x.length - y.length;
}
