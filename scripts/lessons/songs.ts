/** Songs by hour and place. This family has uncertain answers; the model must learn their percentages. */
import { atHours, combinations, percent, type Answer } from "./grammar.ts";

const MORNING = [5, 6, 7, 8, 9];
const DAY = [11, 12, 13, 14, 15];
const EVENING = [17, 18, 19, 20];
const NIGHT = [21, 22, 23];

const playlist = (kind: string) => `Here is a ${kind} playlist.`;

function songs(shares: Readonly<Record<string, number>>): readonly Answer[] {
  return percent(Object.fromEntries(Object.entries(shares).map(([kind, share]) => [playlist(kind), share])));
}

/** For each place, the percentages of the kinds of songs: in the morning, by day, in the evening, at night. */
const TABLE: Readonly<
  Record<string, readonly [Record<string, number>, Record<string, number>, Record<string, number>, Record<string, number>]>
> = {
  gym: [
    { workout: 87, morning: 8, party: 5 },
    { workout: 90, focus: 5, party: 5 },
    { workout: 85, party: 15 },
    { workout: 80, party: 15, calm: 5 },
  ],
  party: [
    { party: 70, morning: 20, calm: 10 },
    { party: 80, workout: 10, calm: 10 },
    { party: 90, calm: 10 },
    { party: 92, workout: 5, calm: 3 },
  ],
  home: [
    { morning: 75, calm: 15, workout: 10 },
    { calm: 60, focus: 40 },
    { calm: 70, party: 30 },
    { calm: 90, party: 10 },
  ],
  office: [
    { focus: 80, morning: 20 },
    { focus: 90, calm: 10 },
    { focus: 65, calm: 35 },
    { focus: 50, calm: 50 },
  ],
  car: [
    { road: 60, morning: 40 },
    { road: 85, calm: 15 },
    { road: 70, party: 30 },
    { road: 55, calm: 45 },
  ],
};

/** All answers of the family. */
export const SONG_ANSWERS: readonly string[] = ["workout", "party", "calm", "focus", "morning", "road"].map(playlist);

export const SONGS = combinations(
  "songs",
  20,
  [
    "I need songs",
    "Play some songs",
    "Can you find me some music?",
    "I want songs",
    "Give me a playlist",
    "Which songs fit now?",
    "Put some music on",
    "Some songs, please",
  ],
  Object.entries(TABLE).flatMap(([place, parts]) =>
    [MORNING, DAY, EVENING, NIGHT].flatMap((hours, part) => atHours(hours, { place }, songs(parts[part]!))),
  ),
);
