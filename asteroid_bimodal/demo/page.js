// Media events do not bubble: they are caught on their way down.
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
