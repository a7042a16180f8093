/** Everyday situations. One or two context keys decide the answer. */
import { atHours, byKey, combinations, family, surely, type Case, type Family } from "./grammar.ts";

/** One case for each pair of values of two keys. */
function byTwoKeys(first: string, second: string, table: Readonly<Record<string, Readonly<Record<string, string>>>>): Case[] {
  return Object.entries(table).flatMap(([one, row]) =>
    Object.entries(row).map(([two, answer]) => ({ context: { [first]: one, [second]: two }, answers: surely(answer) })),
  );
}

/** One case per hour. The part of the day decides the answer. */
function byHour(parts: readonly (readonly [hours: readonly number[], answer: string])[]): Case[] {
  return parts.flatMap(([hours, answer]) => atHours(hours, {}, surely(answer)));
}

const PLACES_QUIET = {
  library: "Please whisper here.",
  temple: "Please stay quiet.",
  stadium: "Shout as you like!",
  market: "Speak up, it is loud.",
};

export const SITUATIONS: readonly Family[] = [
  combinations(
    "clothing",
    2,
    ["What shall I wear?", "Which clothes fit today?", "What do I put on?", "What should I wear?"],
    [
      ...byTwoKeys("weather", "place", {
        rain: { outside: "Take a raincoat.", office: "A shirt, and an umbrella." },
        sun: { outside: "A hat and light cotton.", office: "A light shirt." },
        snow: { outside: "A thick coat and boots.", office: "A warm pullover." },
        wind: { outside: "A jacket that closes.", office: "A shirt and a jacket." },
      }),
    ],
  ),
  family(
    "umbrella",
    1,
    ["Do I need an umbrella?", "Umbrella today?", "Shall I take an umbrella?", "Should I carry an umbrella?"],
    byKey("weather", {
      rain: "Yes, take the umbrella.",
      sun: "No, the sky is clear.",
      snow: "No, a cap is enough.",
      wind: "No, it would break.",
    }),
  ),
  combinations(
    "greeting",
    2,
    ["Hello", "Hi there", "Greetings", "Hey", "Hello to you"],
    byHour([
      [[5, 6, 7, 8, 9, 10], "Good morning!"],
      [[12, 13, 14, 15], "Good afternoon!"],
      [[17, 18, 19, 20], "Good evening!"],
      [[22, 23], "Good night!"],
    ]),
  ),
  combinations(
    "light",
    1,
    ["Shall I switch the light on?", "Light on or off?", "Do I need the light?", "Should the light be on?"],
    byHour([
      [[8, 9, 10, 11, 12, 13, 14, 15], "Off, the sun is up."],
      [[19, 20, 21], "On, it is dark."],
      [[23, 0, 1, 2], "Off, time to sleep."],
    ]),
  ),
  family(
    "style",
    2,
    ["Can you help me?", "Please help me", "Will you help me?", "Could you help me?"],
    byTwoKeys("style", "place", {
      formal: { office: "Certainly. How may I assist you?", shop: "Certainly. What do you require?" },
      casual: { office: "Sure, what is up?", shop: "Sure, what do you need?" },
    }),
  ),
  family(
    "thanks",
    1,
    ["Thank you", "Thanks", "Thank you very much", "Many thanks"],
    byKey("style", { formal: "You are most welcome.", casual: "No problem!" }),
  ),
  family(
    "lift",
    1,
    [
      "What do you call the machine between floors?",
      "How do I get up without stairs?",
      "Which word for the moving cabin?",
      "What takes me up a tower?",
    ],
    byKey("place", { london: "The lift.", boston: "The elevator.", sydney: "The lift.", chicago: "The elevator." }),
  ),
  family(
    "snack word",
    1,
    [
      "What do you call fried potato sticks?",
      "Which word for fried potatoes?",
      "What are these fried potatoes called?",
      "Name the fried potato sticks",
    ],
    byKey("place", { london: "Chips.", boston: "Fries.", sydney: "Hot chips.", chicago: "French fries." }),
  ),
  family(
    "noise",
    1,
    ["How loud may I speak?", "May I talk here?", "Can I speak loudly?", "How loud can I be?"],
    byKey("place", PLACES_QUIET),
  ),
  family(
    "bat",
    1,
    ["What is a bat?", "Tell me what a bat is", "Explain bat", "What does bat mean?"],
    byKey("topic", { cricket: "A wooden stick to hit the ball.", animals: "A flying animal of the night." }),
  ),
  family(
    "mouse",
    1,
    ["What is a mouse?", "Tell me what a mouse is", "Explain mouse", "What does mouse mean?"],
    byKey("topic", { computers: "A device that moves the pointer.", animals: "A small animal with a long tail." }),
  ),
  family(
    "python",
    1,
    ["What is python?", "Tell me about python", "Explain python", "What does python mean?"],
    byKey("topic", { computers: "A language for programs.", animals: "A long snake." }),
  ),
  family(
    "bank",
    1,
    ["What is a bank?", "Tell me what a bank is", "Explain bank", "What does bank mean?"],
    byKey("topic", { money: "A house that keeps money.", rivers: "The side of a river." }),
  ),
  family(
    "money",
    1,
    ["Which money do I need?", "How do I pay?", "Which notes are used here?", "What money do they take?"],
    byKey("country", { india: "Rupees.", japan: "Yen.", england: "Pounds.", france: "Euros.", america: "Dollars." }),
  ),
  family(
    "road",
    1,
    ["On which side do I drive?", "Which side of the road?", "Where do cars drive?", "Left or right on the road?"],
    byKey("country", {
      india: "On the left.",
      japan: "On the left.",
      england: "On the left.",
      france: "On the right.",
      america: "On the right.",
    }),
  ),
  family(
    "exercise",
    1,
    ["Which exercise is good?", "How can I train?", "Give me an exercise", "What exercise should I do?"],
    byKey("place", { gym: "Lift some weights.", park: "Run three rounds.", office: "Stretch your back.", pool: "Swim ten lanes." }),
  ),
];
