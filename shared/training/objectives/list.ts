/** All objectives. A new objective is a file beside this, a name in config.ts and a line here; the compiler asks for the line. */
import type { ObjectiveName } from "../../config.ts";
import type { Objective } from "./objective.ts";
import { pretrain } from "./pretrain.ts";
import { sft } from "./sft.ts";

const OBJECTIVES: Readonly<Record<ObjectiveName, Objective>> = { pretrain, sft };

export function objectiveOf({ objective }: { objective: ObjectiveName }): Objective {
  return OBJECTIVES[objective];
}
