/** Makes a prerendered page live: the same components take over the nodes that are there. */
import { hydrate, type ComponentType } from "preact";
import { screenOf, type ScreenName } from "../screens.ts";
import { Frame } from "./frame.tsx";
import { findSession } from "./session.tsx";

export function start(name: ScreenName, Content: ComponentType): void {
  void findSession();
  hydrate(
    <Frame screen={screenOf(name)}>
      <Content />
    </Frame>,
    document.querySelector("#app")!,
  );
}
