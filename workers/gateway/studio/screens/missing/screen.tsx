/** The page for an address that does not exist. */
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
