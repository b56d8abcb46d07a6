// Times in the clock of who reads them; as served they are UTC.

export const clock = (seconds, zone) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", timeZone: zone });

function fill() {
  for (const time of document.querySelectorAll("time[data-seconds]")) time.textContent = clock(time.dataset.seconds);
}

document.addEventListener("htmx:after:swap", fill);
document.addEventListener("DOMContentLoaded", fill);
