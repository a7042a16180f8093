/**
 * CPU time of a request at the gateway, which a Worker cannot measure itself: an upper bound. workerd took 6 to 8 ms for requests
 * that the gateway answers alone (`GET /`, a refused `POST /predict`, a missing page), with its local HTTP front, 1,000 times each on
 * 2 busy cores of an AMD EPYC (Zen 3), 2026-12-01.
 */
export const REQUEST_CPU_MS = 7;
