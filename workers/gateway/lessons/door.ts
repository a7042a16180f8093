/** Lesson sets: the gateway passes JSON Lines on unchanged, and the tokenizer reports the lines that it refuses. */
import { createRoute, z } from "@hono/zod-openapi";
import { addedLessonsSchema, lessonSetDetailSchema, lessonSetInfoSchema } from "../../../shared/contracts/lessons.ts";
import { MAX_LESSON_BYTES } from "../../../shared/lessons/lesson-set.ts";
import { createHandlers, type Door } from "../door.ts";
import { json, refusalsOf } from "../responses.ts";

const answer = <T extends z.ZodType>(schema: T, description: string) => ({
  200: json(schema, description),
  ...refusalsOf(400, 401, 404, 413, 415, 422, 500),
});
const idParams = z.object({ id: z.string().min(1).max(128) });

const routes = {
  addLessons: createRoute({
    method: "post",
    path: "/lessons",
    security: [{ operator: [] }],
    request: {
      body: {
        // This is a plain schema instead of a zod schema. With zod the router would parse the body as JSON, because the media
        // type begins with "application/json".
        content: { "application/jsonl": { schema: { type: "string" } } },
        required: true,
        description: `One lesson a line: messages, or instruction, input and output, or prompt and completion, or context, text and answer; or, for a classifier, context, text and label; at most ${MAX_LESSON_BYTES} bytes`,
      },
    },
    responses: answer(addedLessonsSchema, "The id of the lesson set, and the lines that were refused"),
  }),
  listLessons: createRoute({
    method: "get",
    path: "/lessons",
    security: [{ operator: [] }],
    responses: answer(z.array(lessonSetInfoSchema), "All lesson sets, newest first"),
  }),
  getLessons: createRoute({
    method: "get",
    path: "/lessons/{id}",
    security: [{ operator: [] }],
    request: { params: idParams },
    responses: answer(lessonSetDetailSchema, "A lesson set: its size and its first lessons"),
  }),
  deleteLessons: createRoute({
    method: "delete",
    path: "/lessons/{id}",
    security: [{ operator: [] }],
    request: { params: idParams },
    responses: answer(z.object({ deleted: z.string() }), "The lesson set is deleted; datasets and models made from it stay"),
  }),
} as const;

const handlers = createHandlers();
handlers.openapi(routes.addLessons, async (c) => c.json(await c.env.TOKENIZER.addLessons(await c.req.text()), 200));
handlers.openapi(routes.listLessons, async (c) => c.json(await c.env.TOKENIZER.listLessons(), 200));
handlers.openapi(routes.getLessons, async (c) => c.json(await c.env.TOKENIZER.getLessons(c.req.valid("param").id), 200));
handlers.openapi(routes.deleteLessons, async (c) => {
  await c.env.TOKENIZER.deleteLessons(c.req.valid("param").id);
  return c.json({ deleted: c.req.valid("param").id }, 200);
});

export const lessonsDoor: Door = {
  prefix: "/lessons",
  routes: Object.values(routes),
  handlers,
  errorBody: (_, message) => ({ error: message }),
  bodyOf: (method) => (method === "POST" ? { type: "application/jsonl", maxBytes: MAX_LESSON_BYTES } : null),
};
