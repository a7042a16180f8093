/** An error in its own words; nothing while there is none. */
export function Problem({ text }: { text: string }) {
  if (text === "") return null;
  return (
    <p class="notice" role="alert">
      {text}
    </p>
  );
}
