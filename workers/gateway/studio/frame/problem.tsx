/** Shows an error message, or nothing if `text` is empty. */
export function Problem({ text }: { text: string }) {
  if (text === "") return null;
  return (
    <p class="notice" role="alert">
      {text}
    </p>
  );
}
