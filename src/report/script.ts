/**
 * The page's one script: shows what a mark of a chart says when it is pointed at, or chosen by the arrow
 * keys. It asks for nothing and keeps nothing; without it the page says the same in its tables.
 */
export const script = `
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  for (const box of document.querySelectorAll("[data-tips]")) {
    const texts = JSON.parse(box.dataset.tips);
    const dot = document.createElement("i");
    dot.className = "dot";
    dot.hidden = true;
    box.append(dot);
    let chosen = -1;
    const shown = () => [...box.querySelectorAll("svg")].find((svg) => svg.getBoundingClientRect().width > 0);
    const marks = (svg) => svg.dataset.at.split(" ").map((at) => at.split(",").map(Number));
    const scaleOf = (svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const hide = () => { tip.hidden = dot.hidden = true; chosen = -1; };
    const show = (index) => {
      const svg = shown();
      if (!svg || !texts[index]) return hide();
      chosen = index;
      const [x, y] = marks(svg)[index];
      const scale = scaleOf(svg), at = svg.getBoundingClientRect(), home = box.getBoundingClientRect();
      dot.hidden = tip.hidden = false;
      dot.style.left = at.left - home.left + x * scale + "px";
      dot.style.top = at.top - home.top + y * scale + "px";
      if (tip.textContent !== texts[index]) tip.textContent = texts[index];
      const left = at.left + x * scale + 14, room = document.documentElement.clientWidth - 8;
      const over = left + tip.offsetWidth > room;
      tip.style.left = Math.max(8, over ? at.left + x * scale - tip.offsetWidth - 14 : left) + scrollX + "px";
      tip.style.top = Math.max(8, at.top + y * scale - tip.offsetHeight - 10) + scrollY + "px";
    };
    const nearest = (event) => {
      const svg = shown();
      if (!svg) return -1;
      const at = svg.getBoundingClientRect(), scale = scaleOf(svg), axis = box.dataset.along;
      const px = (event.clientX - at.left) / scale, py = (event.clientY - at.top) / scale;
      let best = -1, least = Infinity;
      marks(svg).forEach(([x, y], i) => {
        if (Number.isNaN(x) || !texts[i]) return;
        const far = (axis === "y" ? 0.02 : 1) * (x - px) ** 2 + (axis === "x" ? 0.02 : 1) * (y - py) ** 2;
        if (far < least) [best, least] = [i, far];
      });
      return best;
    };
    const step = (by) => {
      const all = marks(shown());
      let next = chosen;
      do { next += by; } while (all[next] && (Number.isNaN(all[next][0]) || !texts[next]));
      if (all[next]) show(next);
    };
    box.addEventListener("pointermove", (event) => show(nearest(event)));
    box.addEventListener("pointerdown", (event) => show(nearest(event)));
    box.addEventListener("pointerleave", hide);
    box.addEventListener("blur", hide);
    box.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      else if (event.key === "Home") { chosen = -1; step(1); }
      else if (event.key === "End") { chosen = texts.length; step(-1); }
      else if (by) step(by);
      else return;
      event.preventDefault();
    });
  }
  addEventListener("beforeprint", () => { for (const box of document.querySelectorAll("[data-tips]")) box.blur(); });
})();
`.trim();
