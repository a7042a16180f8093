/**
 * The chat template of a model that has learned no conversations: each message is a line of the text that it continues, as
 * `/generate` writes its prompt. ChatML would put control tokens before it that it has never seen.
 */
export const PLAIN_TEMPLATE = "{% for message in messages %}{{ message['content'] + '\\n' }}{% endfor %}";
