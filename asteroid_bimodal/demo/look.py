"""How the page looks and behaves beyond what gradio's components do by themselves."""

from __future__ import annotations

from types import ModuleType
from typing import Any

_FONT = ("system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_FONT_MONO = ("ui-monospace", "Menlo", "Consolas", "monospace")

CSS = """
.gradio-container { width: 100%; max-width: 1400px !important; margin: 0 auto; }
.abm-empty { color: var(--body-text-color-subdued); padding: 5rem 1rem; text-align: center; }
.abm-tracks header, .abm-tracks section {
  display: grid; align-items: center; column-gap: .8rem; color: var(--body-text-color);
}
.abm-tracks header { grid-template-columns: auto 1fr auto; padding: 0 .2rem .6rem; }
.abm-tracks header b { overflow-wrap: anywhere; }
.abm-tracks header span { color: var(--body-text-color-subdued); font-size: .85rem; }
.abm-scale { display: flex; align-items: center; gap: .4rem; white-space: nowrap; }
.abm-scale i { width: 7rem; height: .6rem; border-radius: .2rem; }
.abm-tracks section {
  grid-template-columns: 2.6rem 1fr auto auto; margin-bottom: .8rem; padding: .7rem .9rem;
  background: var(--block-background-fill); border: 1px solid var(--border-color-primary);
  border-radius: var(--radius-lg);
}
.abm-tracks h3 {
  grid-column: 1 / 3; margin: 0 0 .4rem; font-size: 1rem; color: var(--body-text-color);
  overflow-wrap: anywhere;
}
.abm-tracks section > a { grid-column: 4; margin-bottom: .4rem; font-size: .85rem; }
.abm-presence {
  grid-column: 3; display: flex; align-items: center; gap: .5rem; margin-bottom: .4rem;
  font-size: .85rem; font-variant-numeric: tabular-nums;
}
.abm-presence > i {
  width: 7rem; height: .5rem; overflow: hidden; border-radius: .25rem;
  background: var(--border-color-primary);
}
.abm-presence > i > i { display: block; height: 100%; background: var(--color-accent); }
.abm-axis { position: relative; height: 100%; color: var(--body-text-color-subdued); }
.abm-axis span {
  position: absolute; right: 0; font-size: .7rem; line-height: 1; transform: translateY(50%);
  white-space: nowrap;
}
.abm-picture { grid-column: 2 / 5; position: relative; height: 7.5rem; cursor: pointer; }
.abm-picture img { display: block; width: 100%; height: 100%; margin: 0; border-radius: .25rem; }
.abm-picture i {
  position: absolute; top: 0; bottom: 0; left: 0; width: 2px; background: #fff; opacity: 0;
}
.abm-picture i.on { opacity: .85; }
.abm-time {
  grid-column: 2 / 5; display: flex; justify-content: space-between; margin: .15rem 0 .3rem;
  font-size: .7rem; color: var(--body-text-color-subdued);
}
.abm-tracks audio { grid-column: 2 / 5; width: 100%; height: 2.2rem; }
"""

# Media events do not bubble: they are caught on their way down.
SCRIPT = """
const cursor = (audio) => audio.closest("section").querySelector(".abm-picture i");
element.addEventListener("timeupdate", ({target}) => {
  cursor(target).style.left = `${100 * target.currentTime / target.duration}%`;
  cursor(target).classList.toggle("on", target.currentTime > 0);
}, true);
element.addEventListener("play", ({target}) => {
  for (const other of element.querySelectorAll("audio")) if (other !== target) other.pause();
}, true);
element.addEventListener("click", (event) => {
  const picture = event.target.closest(".abm-picture");
  if (!picture) return;
  const audio = picture.closest("section").querySelector("audio");
  const box = picture.getBoundingClientRect();
  audio.currentTime = audio.duration * (event.clientX - box.left) / box.width;
});
"""


def make_theme(gradio: ModuleType) -> Any:
    """Makes a theme of the system's own fonts.

    Args:
        gradio: the module.
    """
    return gradio.themes.Default(primary_hue="blue", font=_FONT, font_mono=_FONT_MONO)
