// A page that somebody is just reading in detail, or stands on with the keyboard, is not exchanged under their hands.
document.addEventListener("htmx:before:request", (event) => {
  const main = document.getElementById("main");
  const busy = main.querySelector("details[open]") || (main.contains(document.activeElement) && document.activeElement !== main);
  if (event.target === main && busy) event.preventDefault();
});
