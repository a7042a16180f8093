/**
 * All objectives. To add an objective, write a file beside this one, add its name to config.ts, and add it to OBJECTIVES (else
 * tsc fails).
 */
import type { ObjectiveName } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import { classify } from "./classify.ts";
import { dpo, ipo, kto } from "./dpo.ts";
import type { Objective } from "./objective.ts";
import { pretrain } from "./pretrain.ts";
import { reward } from "./reward.ts";
import { sft } from "./sft.ts";

const OBJECTIVES: Readonly<Record<ObjectiveName, Objective<NetworkConfig>>> = { pretrain, sft, reward, dpo, ipo, kto, classify };

export function objectiveOf({ objective }: { objective: ObjectiveName }): Objective<NetworkConfig> {
  return OBJECTIVES[objective];
}
