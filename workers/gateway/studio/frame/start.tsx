/** Makes a prerendered page interactive (hydration): the components that rendered the HTML take over its elements. */
import { hydrate, type ComponentType } from "preact";
import { screenOf, type ScreenName } from "../screens.ts";
import { Frame } from "./frame.tsx";
import { findSession } from "./session.tsx";

export function start(name: ScreenName, Content: ComponentType): void {
  void findSession();
  const app = document.querySelector<HTMLElement>("#app")!;
  hydrate(
    <Frame screen={screenOf(name)}>
      <Content />
    </Frame>,
    app,
  );
  // Tests wait for this attribute: from now on the page reacts to clicks.
  app.dataset["live"] = "";
}
