/** The adapter of each kind of source. */
import type { SourceKind } from "../../../shared/contracts/sources.ts";
import { feed } from "./feed.ts";
import { site } from "./site.ts";
import type { SourceAdapter } from "./source.ts";
import { upload } from "./upload.ts";

export const ADAPTERS: Readonly<Record<SourceKind, SourceAdapter>> = { feed, site, upload };
