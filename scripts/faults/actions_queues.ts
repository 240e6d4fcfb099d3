/** Pushes, shifts and drains of queues, which are often full and often empty. */

import type { Actions, Worker } from "./worker.ts";

/** See the module. */
export const queueActions: Actions = [
  [6, (worker) =>
    worker.backend.queues.push(aQueue(worker), worker.newName(), {
      maxLength: 5,
    })],
  [3, (worker) => worker.backend.queues.shift(aQueue(worker))],
  [1, (worker) => worker.backend.queues.drain(aQueue(worker))],
];

function aQueue({ random, keys }: Worker): string {
  return random.pick(random.pick(keys.queues).keys);
}
