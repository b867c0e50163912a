// Pictures open large, the contents show where one is, galleries turn their pages, charts are drawn.
document.documentElement.classList.add("js");
const dialog = document.body.appendChild(document.createElement("dialog"));
dialog.addEventListener("click", () => dialog.close());
function open(picture) {
  const copy = picture.cloneNode(true);
  copy.classList.remove("zoom");
  const image = copy.matches("img") ? copy : copy.querySelector("img");
  image.loading = "eager";
  image.style.cssText = "width:100%;max-height:none;height:auto;display:block";
  copy.style.maxWidth = copy.matches("img") ? "100%" : `min(100%, calc(86vh * ${image.width / image.height || 1}))`;
  const caption = picture.closest("figure")?.querySelector("figcaption")?.cloneNode(true);
  dialog.replaceChildren(copy, ...(caption ? [caption] : []));
  dialog.showModal();
}
function openable(part) {
  for (const picture of part.querySelectorAll(".zoom")) {
    picture.tabIndex = 0;
    picture.addEventListener("keydown", (event) => event.key === "Enter" && picture.click());
    picture.addEventListener("click", () => open(picture));
  }
}
openable(document);
const turner = document.querySelector("nav.pages");
if (turner) {
  const page = document.getElementById("page");
  const number = turner.querySelector("input");
  const first = document.createElement("template");
  first.content.append(...page.cloneNode(true).childNodes);
  const pages = [first, ...document.querySelectorAll("template.page")];
  const turn = (to) => {
    number.value = Math.min(pages.length, Math.max(1, Math.round(to) || 1));
    page.replaceChildren(pages[number.value - 1].content.cloneNode(true));
    openable(page);
    for (const button of turner.querySelectorAll("button")) button.disabled = !pages[number.value - 1 + Number(button.dataset.turn)];
    turner.scrollIntoView({ block: "nearest" });
  };
  for (const button of turner.querySelectorAll("button")) button.addEventListener("click", () => turn(Number(number.value) + Number(button.dataset.turn)));
  number.addEventListener("change", () => turn(number.value));
  document.addEventListener("keydown", (event) => {
    if (dialog.open || event.target.matches("input")) return;
    if (event.key === "ArrowLeft") turn(Number(number.value) - 1);
    if (event.key === "ArrowRight") turn(Number(number.value) + 1);
  });
  turner.hidden = false;
  turner.querySelector("button").disabled = true;
}
// A chart is drawn when it comes near: dozens at once would hold a telephone up for seconds.
function draw(chart) {
  if (chart.dataset.drawn) return;
  chart.dataset.drawn = "yes";
  const place = chart.appendChild(document.createElement("div"));
  const spec = JSON.parse(chart.querySelector("script").textContent);
  vegaEmbed(place, spec, { actions: false, ast: true, renderer: "svg", tooltip: { theme: "custom" } });
}
const near = new IntersectionObserver((entries) => entries.forEach((e) => e.isIntersecting && draw(e.target)), { rootMargin: "600px" });
for (const chart of document.querySelectorAll(".chart")) near.observe(chart);
addEventListener("beforeprint", () => document.querySelectorAll(".chart").forEach(draw));
const links = new Map([...document.querySelectorAll("nav.contents a")].map((a) => [a.hash.slice(1), a]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "-10% 0px -80% 0px" });
for (const section of document.querySelectorAll("section[id]")) seen.observe(section);
