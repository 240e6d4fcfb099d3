/** Why a round cannot be judged; topologies throw it, the run takes another. */

/**
 * A master was replaced that no fault has touched: it was given up because the
 * machine is busy. It has thrown its file away, and the round cannot be judged.
 */
export class UnplannedFailover extends Error {
  constructor() {
    super("a failover that was not asked for");
    this.name = "UnplannedFailover";
  }
}
