// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { AddressesPage } from "./addresses-page.tsx";
import { EventsPage } from "./events-page.tsx";
import { MapPage } from "./map/map-page.tsx";
import { NodesPage } from "./nodes/nodes-page.tsx";
import { Mark } from "./parts/glyphs.tsx";
import { PAGES, type Page, hrefOf, route } from "./route.ts";
import { type Connection, connection, isKnown, problems, view } from "./state.ts";
import { type Theme, nextTheme, theme } from "./theme.ts";
import { TracePage } from "./trace/trace-page.tsx";

const TITLES: Readonly<Record<Page, string>> = {
  map: "Map",
  trace: "Trace",
  nodes: "Nodes",
  addresses: "Addresses",
  events: "Events",
};

export function App(): JSX.Element {
  const { page } = route.value;
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${TITLES[page]} – Margay`;
    // A page that was asked for is what is read next.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [page]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        To the content
      </a>
      <Header />
      <main id="main" ref={main} tabIndex={-1} class={`page-${page}`}>
        {isKnown.value ? <Content page={page} /> : <Waiting />}
      </main>
    </>
  );
}

function Content({ page }: { readonly page: Page }): JSX.Element {
  switch (page) {
    case "map":
      return <MapPage />;
    case "trace":
      return <TracePage />;
    case "nodes":
      return <NodesPage />;
    case "addresses":
      return <AddressesPage />;
    case "events":
      return <EventsPage />;
  }
}

function Header(): JSX.Element {
  const known = view.value;
  const bad = problems.value.length;
  return (
    <header class="top">
      <p class="brand">
        <Mark />
        <span class="brand-name">Margay</span>
        {known && (
          <span class="scope">
            {known.scope} <b>{known.name}</b>
          </span>
        )}
      </p>
      <nav aria-label="Views">
        <ul>
          {PAGES.map((page) => (
            <li key={page}>
              <a href={hrefOf(page)} aria-current={route.value.page === page ? "page" : undefined}>
                {TITLES[page]}
                {page === "map" && bad > 0 && (
                  <span class="count">
                    {bad}
                    <span class="unseen"> {bad === 1 ? "problem" : "problems"}</span>
                  </span>
                )}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="top-end">
        <ConnectionState />
        <ThemeSwitch />
      </div>
    </header>
  );
}

const CONNECTIONS: Readonly<Record<Connection, string>> = {
  connecting: "connecting",
  live: "live",
  lost: "no answer",
  refused: "refused",
};

function ConnectionState(): JSX.Element {
  return (
    <p class={`connection ${connection.value}`} role="status">
      {CONNECTIONS[connection.value]}
    </p>
  );
}

const THEMES: Readonly<Record<Theme, string>> = { auto: "Auto", light: "Light", dark: "Dark" };

function ThemeSwitch(): JSX.Element {
  return (
    <button type="button" class="quiet" onClick={nextTheme} title="Light, dark, or as the system has it">
      <span class="unseen">Colours: </span>
      {THEMES[theme.value]}
    </button>
  );
}

function Waiting(): JSX.Element {
  return (
    <div class="prose waiting">
      {connection.value === "refused" ? (
        <>
          <h1>The server does not know this page</h1>
          <p>
            Open the address that <code>margay dashboard</code> has printed, whole: what follows{" "}
            <code>#token=</code> is how the server knows who asks. It is another one with each run.
          </p>
        </>
      ) : (
        <>
          <h1>Connecting</h1>
          <p>The page waits for its server to answer.</p>
        </>
      )}
    </div>
  );
}
