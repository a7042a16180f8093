/** Makes a prerendered page live: the same components take over the nodes that are there. */
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
  // Tells tests that a press is heard from now on.
  app.dataset["live"] = "";
}
