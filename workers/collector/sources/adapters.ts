/** The adapter of each kind of source. */
import type { SourceKind } from "../../../shared/contracts/sources.ts";
import { book } from "./book.ts";
import { feed } from "./feed.ts";
import { mediawiki } from "./mediawiki.ts";
import { paper } from "./paper.ts";
import { repository } from "./repository.ts";
import { site } from "./site.ts";
import { social } from "./social.ts";
import type { SourceAdapter } from "./source.ts";
import { upload } from "./upload.ts";

export const ADAPTERS: Readonly<Record<SourceKind, SourceAdapter>> = { book, feed, mediawiki, paper, repository, site, social, upload };
