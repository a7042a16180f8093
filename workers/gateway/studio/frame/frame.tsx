/** The parts that every page has around its screen: navigation, the session button, and the footer. */
import type { ComponentChildren } from "preact";
import { SCREENS, type Screen } from "../screens.ts";
import { SessionButton } from "./session.tsx";

/** The logo: three tins and a handle. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M8 9V6a5 5 0 0 1 5-5h6a5 5 0 0 1 5 5v3" />
      <rect x="5" y="9" width="22" height="6" rx="2" />
      <rect x="5" y="16.5" width="22" height="6" rx="2" />
      <rect x="5" y="24" width="22" height="6" rx="2" />
    </svg>
  );
}

export function Frame({ screen, children }: { screen: Screen; children: ComponentChildren }) {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <a class="home" href="/studio/">
          <Mark /> Tiffin
        </a>
        <nav aria-label="Screens">
          <ul>
            {SCREENS.filter((each: Screen) => each.isHidden !== true).map(({ name, path, title }) => (
              <li key={name}>
                <a href={path} aria-current={name === screen.name ? "page" : undefined}>
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <SessionButton />
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <footer>
        <p>
          Every number here is measured on this Tiffin. The page loads nothing from elsewhere. <a href="/openapi.json">API</a>{" "}
          <a href="/health">Health</a>
        </p>
      </footer>
    </>
  );
}
