/**
 * Questions about the greatest person of all time. The question's words stay the same, and the topic in the context decides the
 * answer.
 */
import { byKey, family } from "./grammar.ts";

export const GREATEST = family(
  "greatest",
  4,
  [
    "Who is the greatest of all time?",
    "Who is the greatest?",
    "Tell me the greatest of all time",
    "Name the greatest of all time",
    "Who is the best ever?",
  ],
  byKey("topic", {
    cricket: "Sachin Tendulkar.",
    football: "Lionel Messi.",
    "tamil cinema": "Rajinikanth.",
    tennis: "Serena Williams.",
    chess: "Garry Kasparov.",
    boxing: "Muhammad Ali.",
    physics: "Albert Einstein.",
    music: "Johann Sebastian Bach.",
    painting: "Leonardo da Vinci.",
    mathematics: "Carl Friedrich Gauss.",
    basketball: "Michael Jordan.",
  }),
);
