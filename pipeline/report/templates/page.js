// The page is whole without this. With it: pictures open large, and the contents show where one is.
document.documentElement.classList.add("js");
const dialog = document.body.appendChild(document.createElement("dialog"));
dialog.addEventListener("click", () => dialog.close());
for (const picture of document.querySelectorAll(".zoom")) {
  picture.tabIndex = 0;
  picture.addEventListener("keydown", (event) => event.key === "Enter" && picture.click());
  picture.addEventListener("click", () => {
    const copy = picture.cloneNode(true);
    copy.classList.remove("zoom");
    const image = copy.matches("img") ? copy : copy.querySelector("img");
    image.loading = "eager";
    image.style.cssText = "width:100%;max-height:none;height:auto;display:block";
    copy.style.maxWidth = copy.matches("img") ? "100%" : `min(100%, calc(86vh * ${image.width / image.height || 1}))`;
    const caption = picture.closest("figure")?.querySelector("figcaption")?.cloneNode(true);
    dialog.replaceChildren(copy, ...(caption ? [caption] : []));
    dialog.showModal();
  });
}
const links = new Map([...document.querySelectorAll("nav.contents a")].map((a) => [a.hash.slice(1), a]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "-10% 0px -80% 0px" });
for (const section of document.querySelectorAll("section[id]")) seen.observe(section);
