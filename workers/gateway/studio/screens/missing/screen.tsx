/** The page for an address that leads nowhere. */
export function Missing() {
  return (
    <>
      <h1>No such page</h1>
      <p class="lede">This address leads nowhere in the Studio.</p>
      <p>
        <a href="/studio/">To the pipeline</a>
      </p>
    </>
  );
}
