// All tracks play on one clock, the mixture's. What is heard: the tracks with "solo", else those
// without "mute".
const all = (selector) => [...element.querySelectorAll(selector)];
const clock = () => element.querySelector("audio");
const FAR = 0.3; // seconds off the clock: a seek; what is nearer catches up

const listen = () => {
  const tracks = all("section");
  const isOn = (track, name) => track.querySelector(`.abm-${name}`).ariaPressed === "true";
  const alone = tracks.some((track) => isOn(track, "solo"));
  for (const track of tracks) {
    const heard = isOn(track, alone ? "solo" : "mute") === alone;
    track.querySelector("audio").muted = !heard;
    track.classList.toggle("abm-silent", !heard);
  }
};
const show = () => {
  const {currentTime, duration, paused} = clock();
  const share = duration ? currentTime / duration : 0;
  for (const cursor of all(".abm-picture i")) {
    cursor.style.left = `${100 * share}%`;
    cursor.classList.toggle("on", currentTime > 0);
  }
  element.querySelector(".abm-now").textContent =
    `${Math.floor(currentTime / 60)}:${String(Math.floor(currentTime % 60)).padStart(2, "0")}`;
  const button = element.querySelector(".abm-play");
  button.textContent = paused ? "Play" : "Pause";
};
const follow = () => {
  for (const audio of all("audio").slice(1)) {
    const late = clock().currentTime - audio.currentTime;
    if (Math.abs(late) > FAR || clock().paused) audio.currentTime += late;
    audio.playbackRate = Math.abs(late) > FAR ? 1 : 1 + 2 * late;
    if (audio.paused !== clock().paused) clock().paused ? audio.pause() : audio.play();
  }
};
const seek = (share) => {
  clock().currentTime = share * clock().duration;
  follow();
};

// Media events do not bubble: they are caught on their way down.
for (const name of ["timeupdate", "seeked", "play", "pause", "ended"])
  element.addEventListener(name, ({target}) => {
    if (target !== clock()) return;
    follow();
    show();
  }, true);
element.addEventListener("click", ({target, clientX}) => {
  const picture = target.closest(".abm-picture");
  if (picture) {
    const box = picture.getBoundingClientRect();
    seek((clientX - box.left) / box.width);
  }
  if (target.closest(".abm-play")) {
    if (!clock().paused) clock().pause();
    else for (const audio of all("audio")) audio.play(); // phones want each to be asked for
  }
  const toggle = target.closest("[aria-pressed]");
  if (!toggle) return;
  toggle.ariaPressed = toggle.ariaPressed !== "true";
  if (toggle.matches(".abm-solo"))
    for (const other of all(".abm-solo")) if (other !== toggle) other.ariaPressed = false;
  listen();
});
watch("value", () => { if (clock()) listen(); });
