/** Finds out which of the tasks of one request are there. */

/** The most tasks that are looked up at once, of one request. */
const MAX_LOOKUPS = 16;

/**
 * Returns those of the tasks that are there, in their order. A few are looked
 * up at once: a thousand large records need not be here together.
 *
 * @param isThere Looks one up; what it throws ends the others.
 * @param signal Ends them where no one waits for the answer any more.
 */
export async function findTasks(
  taskIds: readonly string[],
  isThere: (taskId: string) => Promise<boolean>,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = [...new Set(taskIds)];
  const found = new Set<string>();
  const ids = wanted.values();
  let isOver = false;
  const lookUp = async () => {
    for (const taskId of ids) {
      if (isOver || signal.aborted) return;
      if (await isThere(taskId)) found.add(taskId);
    }
  };
  try {
    await Promise.all(Array.from({ length: MAX_LOOKUPS }, lookUp));
  } finally {
    isOver = true;
  }
  return wanted.filter((taskId) => found.has(taskId));
}
