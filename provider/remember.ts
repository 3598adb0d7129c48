/** Work whose answers are kept: what a run asks for with every resource, and what does not change meanwhile. */

interface Answers<Key, T> {
  get(key: Key): T | undefined;
  has(key: Key): boolean;
  set(key: Key, answer: T): unknown;
}

/** By text. */
export function remembered<T>(work: (text: string) => T): (text: string) => T {
  return keeping(new Map<string, T>(), work);
}

/** By object, as long as that lives. */
export function rememberedOf<Key extends object, T>(work: (key: Key) => T): (key: Key) => T {
  return keeping(new WeakMap<Key, T>(), work);
}

function keeping<Key, T>(answers: Answers<Key, T>, work: (key: Key) => T): (key: Key) => T {
  return (key) => {
    const known = answers.get(key);
    if (known !== undefined || answers.has(key)) return known as T;
    const answer = work(key);
    answers.set(key, answer);
    return answer;
  };
}
