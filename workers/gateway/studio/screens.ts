/**
 * The screens of the Studio. Each has one HTML file and one script, made from `screens/<name>/entry.tsx` and
 * `screens/<name>/screen.tsx`. A new screen is a folder and an entry in this list; navigation, pages, headers and size limits
 * follow from the list.
 */
import type { Needs } from "./policy.ts";

export interface Screen {
  name: string;
  /** The page's address. All pages are below /studio/, so none hides a route of the gateway. */
  path: `/studio/${string}`;
  title: string;
  /** One sentence for search results and link previews. */
  description: string;
  /** True if the screen draws a curve. The build allows such a screen a larger script. */
  hasCurve?: true;
  needs?: Needs;
  /** True if the navigation does not show the page. */
  isHidden?: true;
}

export const SCREENS = [
  {
    name: "pipeline",
    path: "/studio/",
    title: "Pipeline",
    description: "Five stages from a web page to a model that answers, as they are right now.",
  },
  {
    name: "playground",
    path: "/studio/playground",
    title: "Playground",
    description: "Ask the model that was grown here, watch its answer come, and vote on it.",
  },
  {
    name: "tokenizer",
    path: "/studio/tokenizer",
    title: "Tokenizer",
    description: "Type a text and see it cut into the tokens that the model reads.",
  },
  {
    name: "training",
    path: "/studio/training",
    title: "Training",
    description: "A run live: its loss curve, its trainers, and what the operator may do with it.",
    hasCurve: true,
  },
  {
    name: "local",
    path: "/studio/local",
    title: "In your tab",
    description: "The model in your own browser tab: after it has loaded, no request leaves the tab.",
    needs: { model: true },
  },
  {
    name: "models",
    path: "/studio/models",
    title: "Models",
    description: "The model that answers, and those that could.",
  },
  {
    name: "corpus",
    path: "/studio/corpus",
    title: "Corpus",
    description: "Where the text comes from: sources, crawls, and the removal of a page.",
  },
  {
    name: "explain",
    path: "/studio/explain",
    title: "Explain",
    description: "What the model looks at while it reads, and how it comes to the next token, layer by layer.",
  },
  {
    name: "learn",
    path: "/studio/learn",
    title: "Learn",
    description: "How a model grows, in six steps that this pipeline ticks off.",
  },
  { name: "missing", path: "/studio/missing", title: "No such page", description: "The address leads nowhere.", isHidden: true },
] as const satisfies readonly Screen[];

export type ScreenName = (typeof SCREENS)[number]["name"];

export function screenOf(name: ScreenName): Screen {
  return SCREENS.find((screen) => screen.name === name)!;
}
