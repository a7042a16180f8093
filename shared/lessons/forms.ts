/**
 * The accepted forms of a lesson, one JSON object per line. The forms of a conversation are a list of messages, an instruction
 * with its output, a prompt with its completion, and a text with its answer in a context. A text with its label in a context is a
 * lesson for a classifier.
 */
import { z } from "zod";
import { labelledLessonSchema, MAX_LABELLED_TEXT, type LabelledLesson } from "./labelled.ts";
import { MAX_LABEL_LENGTH } from "../network-config.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import { contextSchema, renderContext } from "./context.ts";

const MAX_CONTENT = 100_000;
const MAX_MESSAGES = 200;

/** White space around a message has no meaning; `/generate` also removes it from answers. */
const content = z.string().max(MAX_CONTENT).trim().min(1);

const user = (text: string): Message => ({ role: "user", content: text });
const assistant = (text: string): Message => ({ role: "assistant", content: text });

/** A lesson: a conversation, or a text with its label. */
export type Lesson = { messages: Message[] } | { labelled: LabelledLesson };

/** The fields by which a form is recognized, and the schema that turns an object of this form into a lesson. */
const FORMS: readonly { fields: readonly string[]; schema: z.ZodType<Lesson> }[] = [
  {
    fields: ["messages"],
    schema: z
      .object({
        messages: z
          .array(z.object({ role: z.enum(["system", "user", "assistant"]), content }))
          .min(1)
          .max(MAX_MESSAGES)
          .refine((messages) => messages.at(-1)?.role === "assistant", { error: "expected the last message to be the assistant's" }),
      })
      .transform(({ messages }) => ({ messages })),
  },
  {
    fields: ["instruction", "output"],
    schema: z
      .object({ instruction: content, input: z.string().max(MAX_CONTENT).trim().default(""), output: content })
      .transform(({ instruction, input, output }) => ({
        messages: [user(input === "" ? instruction : `${instruction}\n\n${input}`), assistant(output)],
      })),
  },
  {
    fields: ["prompt", "completion"],
    schema: z
      .object({ prompt: content, completion: content })
      .transform(({ prompt, completion }) => ({ messages: [user(prompt), assistant(completion)] })),
  },
  {
    fields: ["text", "answer"],
    schema: z.object({ context: contextSchema.default({}), text: content, answer: content }).transform(({ context, text, answer }) => {
      const system = renderContext(context);
      return { messages: [...(system === null ? [] : [{ role: "system" as const, content: system }]), user(text), assistant(answer)] };
    }),
  },
  {
    fields: ["text", "label"],
    schema: labelledLessonSchema
      .extend({
        text: z.string().max(MAX_LABELLED_TEXT).trim().min(1),
        context: contextSchema.default({}),
        label: z.string().max(MAX_LABEL_LENGTH).trim().min(1),
      })
      .transform((labelled) => ({ labelled })),
  },
];

const EXPECTED = FORMS.map(({ fields }) => fields.join(" and ")).join(", or ");

/** Parses a line to a lesson, or returns the reason why it is refused. Unknown fields are ignored. */
export function lessonOf(line: string): Lesson | { reason: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return { reason: `expected JSON: ${(error as Error).message}` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { reason: `expected an object with ${EXPECTED}` };
  const form = FORMS.find(({ fields }) => fields.every((field) => Object.hasOwn(value, field)));
  if (form === undefined) return { reason: `expected ${EXPECTED}, got ${Object.keys(value).slice(0, 8).join(", ") || "no field"}` };
  const parsed = form.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  return { reason: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ") };
}
