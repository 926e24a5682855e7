// SPDX-License-Identifier: Apache-2.0
// The trace in words, in those that a terminal shows.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Fault } from "../../../trace/trace.ts";
import { MARKS, TITLES, WORKS, describeEnd, describeTrace } from "../../../trace/render.ts";
import { formatUs } from "../../../trace/words.ts";
import type { Story, StoryStep } from "../../model/story.ts";
import { goTo, isPlaying, playOrPause, position, stepBy } from "./player.ts";

export function StoryView({ story }: { readonly story: Story }): JSX.Element {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (list.current !== null) showCurrent(list.current);
  }, [position.value]);
  const [title, ...before] = describeTrace(story);
  return (
    <section class="story" aria-labelledby="story-title" onKeyDown={onKey}>
      <Verdict fault={story.fault} />
      <h2 id="story-title">{title}</h2>
      {before.map((line) => (
        <p key={line} class="lost">
          {line}
        </p>
      ))}
      <Controls count={story.steps.length} />
      <div class="steps" ref={list}>
        {(["there", "back"] as const).map((direction) => {
          const steps = story.steps.filter((step) => step.direction === direction);
          return (
            steps.length > 0 && (
              <div key={direction} class={direction}>
                <h3 id={`way-${direction}`}>{TITLES[direction]}</h3>
                <ol start={steps[0]?.number} aria-labelledby={`way-${direction}`}>
                  {steps.map((step) => (
                    <StepLine key={step.number} step={step} />
                  ))}
                </ol>
              </div>
            )
          );
        })}
      </div>
    </section>
  );
}

function Verdict({ fault }: { readonly fault: Fault | null }): JSX.Element {
  if (fault === null)
    return (
      <p class="verdict works" role="status">
        {WORKS}
      </p>
    );
  return (
    <div class="verdict broken" role="status">
      <p class="where">{describeEnd(fault)}.</p>
      <dl>
        <dt>Cause</dt>
        <dd>{fault.text}</dd>
        <dt>Remedy</dt>
        <dd>{fault.remedy}</dd>
      </dl>
    </div>
  );
}

function Controls({ count }: { readonly count: number }): JSX.Element {
  return (
    <div class="controls" role="group" aria-label="The packet's way">
      <button
        type="button"
        onClick={() => {
          goTo(0);
        }}
        aria-label="To the first step"
        title="To the first step"
      >
        ⇤
      </button>
      <button
        type="button"
        onClick={() => {
          stepBy(-1);
        }}
        aria-label="One step back"
        title="One step back (arrow left)"
      >
        ←
      </button>
      <button type="button" class="play" onClick={playOrPause}>
        {isPlaying.value ? "Pause" : "Play"}
      </button>
      <button
        type="button"
        onClick={() => {
          stepBy(1);
        }}
        aria-label="One step on"
        title="One step on (arrow right)"
      >
        →
      </button>
      <input
        type="range"
        aria-label="Step"
        aria-valuetext={`step ${position.value + 1} of ${count}`}
        min="0"
        max={Math.max(0, count - 1)}
        value={position.value}
        onInput={({ currentTarget }) => {
          goTo(Number(currentTarget.value));
        }}
      />
      <span class="counter">
        {Math.min(position.value + 1, count)}/{count}
      </span>
    </div>
  );
}

function StepLine({ step }: { readonly step: StoryStep }): JSX.Element {
  const index = step.number - 1;
  const { fact, evidence, station, text } = step;
  const isCurrent = position.value === index;
  return (
    <li class={`${fact.kind}${isCurrent ? " current" : ""}${position.value > index ? " past" : ""}`}>
      <button
        type="button"
        aria-current={isCurrent ? "step" : undefined}
        tabIndex={isCurrent ? 0 : -1}
        onClick={() => {
          goTo(index);
        }}
      >
        <span class="number">{step.number}</span>
        <span class="where">{station}</span>
        <span class={`evidence ${evidence}`}>
          {MARKS[evidence]}
          {fact.kind === "seen" && <span class="at"> +{formatUs(fact.atUs)}</span>}
        </span>
        <span class="text">
          {text
            .split(/(\[[^\]]*\])/)
            .map((piece, at) => (piece.startsWith("[") ? <code key={at}>{piece}</code> : piece))}
        </span>
      </button>
    </li>
  );
}

/** Within the list; where that is as long as the page, the page follows a packet that travels. */
function showCurrent(list: HTMLElement): void {
  const current = list.querySelector<HTMLElement>("li.current");
  if (current === null) return;
  if (list.scrollHeight <= list.clientHeight) {
    if (isPlaying.peek()) current.scrollIntoView({ block: "nearest" });
    return;
  }
  const top = current.offsetTop - list.offsetTop;
  const isSeen = top >= list.scrollTop && top + current.offsetHeight <= list.scrollTop + list.clientHeight;
  if (!isSeen) list.scrollTop = top - list.clientHeight / 3;
}

/** Arrow keys go along the steps wherever the focus is in the story; a range has its own. */
function onKey(event: KeyboardEvent & { readonly currentTarget: HTMLElement }): void {
  if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
  const count = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key] as 1 | -1 | undefined;
  if (count === undefined) return;
  event.preventDefault();
  stepBy(count);
  const isInList = event.target instanceof Element && event.target.closest(".steps") !== null;
  const list = event.currentTarget;
  if (isInList)
    requestAnimationFrame(() =>
      list.querySelector<HTMLElement>("li.current button")?.focus({ preventScroll: true }),
    );
}
