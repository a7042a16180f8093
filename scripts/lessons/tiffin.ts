/** Orders and questions in a tiffin shop. The hour decides the answer; at night the shop advises against coffee and dosa. */
import { atHours, combinations, percent, surely, type Family } from "./grammar.ts";

const MORNING = [6, 7, 8, 9, 10];
const DAY = [12, 13, 14, 15];
const EVENING = [16, 17, 18, 19];
const NIGHT = [21, 22, 23];

const shop = (
  name: string,
  phrasings: readonly string[],
  [morning, day, evening, night]: readonly [string, string, string, string],
): Family =>
  combinations(name, 3, phrasings, [
    ...atHours(MORNING, {}, surely(morning)),
    ...atHours(DAY, {}, surely(day)),
    ...atHours(EVENING, {}, surely(evening)),
    ...atHours(NIGHT, {}, surely(night)),
  ]);

export const TIFFIN: readonly Family[] = [
  shop(
    "coffee",
    ["I want filter coffee", "A filter coffee, please", "Can I have a filter coffee?", "Bring me filter coffee", "One coffee, please"],
    [
      "Good morning! One hot filter coffee.",
      "One filter coffee after lunch.",
      "One filter coffee with snacks.",
      "Filter coffee at night? You will not sleep!",
    ],
  ),
  shop(
    "dosa",
    ["I want a dosa", "A dosa, please", "Can I have a dosa?", "Bring me a dosa", "One dosa for me"],
    ["One crisp dosa with chutney.", "Dosa is over, lunch is ready.", "One hot dosa is coming.", "Dosa at this hour? Try a glass of milk."],
  ),
  shop(
    "vada",
    ["I want vada", "Two vada, please", "Can I have vada?", "Bring me vada"],
    ["Vada with sambar, fresh.", "Vada in curd for lunch.", "Hot vada with tea.", "The vada is sold out tonight."],
  ),
  combinations(
    "hungry",
    6,
    ["I am hungry", "What can I eat?", "What do you have to eat?", "What is good to eat now?", "Give me something to eat"],
    [
      ...atHours(MORNING, {}, percent({ "Idli and vada are hot.": 60, "Try a dosa.": 40 })),
      ...atHours(DAY, {}, percent({ "A full meal with rice.": 85, "Try curd rice.": 15 })),
      ...atHours(EVENING, {}, percent({ "Bajji and tea.": 70, "Try a dosa.": 30 })),
      ...atHours(NIGHT, {}, percent({ "Only milk and fruit now.": 75, "Try curd rice.": 25 })),
    ],
  ),
];
