// Draws the charts of a report from its document, sorts tables, switches dimensions. Texts reach the page as texts only:
// no innerHTML here, and tooltips are drawn, not written as HTML.
"use strict";
(() => {
  const PRINT_WIDTH_PX = 680; // of a page of A4 within its margins
  const PRINT_HEIGHTS_PX = { atlas: 320 }; // as the style sheet has them for paper, and 232 for all others
  const PRINT_HEIGHT_PX = 232;
  const COLOURS = 12; // of the style sheet: --c0 to --c11
  const root = document.documentElement;
  const report = JSON.parse(document.getElementById("document").textContent);
  const drawn = new Map(); // element of a chart -> its ECharts instance
  const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
  const compact = new Intl.NumberFormat("en", { notation: "compact" });

  const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const colour = (place) => style(`--c${place % COLOURS}`);
  const places = (dimension) => new Map(dimension.segments.map((one, place) => [one.name, place]));
  const labels = (dimension) => new Map(dimension.segments.map((one) => [one.name, one.label || one.name]));
  const short = (text, most = 26) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  const base = () => ({
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: style("--text") },
    grid: { left: 8, right: 16, top: 16, bottom: 8, containLabel: true },
    tooltip: {
      renderMode: "richText", confine: true, backgroundColor: style("--raised"), borderColor: style("--line"),
      textStyle: { color: style("--text"), fontSize: 12 },
    },
  });
  const axis = (more) => ({
    axisLine: { lineStyle: { color: style("--line") } },
    axisTick: { show: false },
    axisLabel: { color: style("--quiet"), hideOverlap: true, ...(more.axisLabel || {}) },
    splitLine: { show: more.split === true, lineStyle: { color: style("--line") } },
    nameTextStyle: { color: style("--quiet") },
    ...Object.fromEntries(Object.entries(more).filter(([key]) => key !== "axisLabel" && key !== "split")),
  });
  const counts = () => axis({ type: "value", split: true, axisLabel: { formatter: (x) => compact.format(x) } });

  const builders = {
    sizes(dimension) {
      const colours = places(dimension), names = labels(dimension);
      const day = (n) => new Date(n * 86400000).toISOString().slice(0, 10);
      return {
        ...base(),
        tooltip: { ...base().tooltip, trigger: "axis", valueFormatter: (x) => number.format(x), order: "seriesDesc" },
        xAxis: axis({ type: "category", boundaryGap: false, data: dimension.sizes.days.map(day) }),
        yAxis: counts(),
        series: Object.entries(dimension.sizes.values).map(([name, data]) => ({
          name: names.get(name) || name, data, type: "line", stack: "all", symbol: "none",
          lineStyle: { width: 0 }, areaStyle: { opacity: 0.9 }, color: colour(colours.get(name) ?? COLOURS - 1),
        })),
      };
    },
    flows(dimension, element) {
      const colours = places(dimension), names = labels(dimension);
      const narrow = element.clientWidth < 560;
      const steps = dimension.flows.steps.length - 1;
      const from = narrow ? Math.max(0, steps - 1) : 0; // one step is all that a phone has room for
      const links = dimension.flows.links.filter((one) => one[0] >= from);
      const nodes = new Map();
      for (const [step, origin, end, count] of links) {
        for (const [depth, name, side] of [[step, origin, "out"], [step + 1, end, "into"]]) {
          const id = `${depth}|${name}`;
          if (!nodes.has(id)) nodes.set(id, { depth, name, out: 0, into: 0 });
          nodes.get(id)[side] += count;
        }
      }
      const shown = (id) => {
        const one = nodes.get(id);
        return `${names.get(one.name) || one.name}: ${number.format(Math.max(one.out, one.into))}`;
      };
      return {
        ...base(),
        tooltip: {
          ...base().tooltip,
          formatter: (one) => one.dataType === "edge"
            ? `${shown(one.data.source).split(": ")[0]} → ${shown(one.data.target).split(": ")[0]}: ${number.format(one.data.value)}`
            : shown(one.name),
        },
        series: [{
          type: "sankey", left: 4, right: narrow ? 90 : 130, top: 8, bottom: 8, nodeWidth: 10, nodeGap: 7, draggable: false,
          layoutIterations: 0, emphasis: { focus: "adjacency" },
          label: { color: style("--text"), fontSize: 11, formatter: (one) => short(shown(one.name), narrow ? 18 : 26) },
          lineStyle: { color: "source", opacity: 0.28 },
          data: [...nodes].sort(([, a], [, b]) => (colours.get(a.name) ?? 99) - (colours.get(b.name) ?? 99))
            .map(([id, one]) => ({
              name: id, depth: one.depth - from,
              itemStyle: { color: colours.has(one.name) ? colour(colours.get(one.name)) : style("--c11"), borderWidth: 0 },
              label: one.depth === steps || element.clientWidth > 700 || narrow ? {} : { show: false },
            })),
          links: links.map(([step, origin, end, value]) => ({ source: `${step}|${origin}`, target: `${step + 1}|${end}`, value })),
        }],
      };
    },
    revenue() {
      const found = report.cohorts;
      const bars = [["returning customers", found.revenue_returning, 9], ["new customers", found.revenue_new, 3]];
      return {
        ...base(),
        tooltip: { ...base().tooltip, trigger: "axis", valueFormatter: (x) => number.format(x) },
        xAxis: axis({ type: "category", data: found.names }),
        yAxis: counts(),
        series: bars.map(([name, data, place]) => ({
          name, data, type: "bar", stack: "all", barMaxWidth: 46, color: colour(place),
        })),
      };
    },
    concentration() {
      const curve = report.concentration.curve;
      const line = (name, data, more) => ({ name, data, type: "line", symbol: "none", ...more });
      const shares = (more) => axis({
        type: "value", min: 0, max: 1, axisLabel: { formatter: (x) => percent.format(x) }, nameLocation: "middle", ...more,
      });
      return {
        ...base(),
        grid: { left: 30, right: 20, top: 12, bottom: 28, containLabel: true },
        tooltip: { ...base().tooltip, trigger: "axis", valueFormatter: (x) => percent.format(x) },
        xAxis: shares({ name: "of buyers, highest spend first", nameGap: 26 }),
        yAxis: shares({ name: "of spend", nameGap: 42, split: true }),
        series: [
          line("spend", curve.map((y, i) => [i / (curve.length - 1), y]), {
            color: style("--strong"), areaStyle: { opacity: 0.12 }, lineStyle: { width: 2 },
          }),
          line("if all spent the same", [[0, 0], [1, 1]], { color: style("--quiet"), lineStyle: { type: "dashed", width: 1 } }),
        ],
      };
    },
    atlas(_, element) {
      const found = report.clusters;
      const dimension = report.dimensions.find((one) => one.name === found.dimension);
      const colours = places(dimension), names = labels(dimension);
      const plain = (more) => axis({ type: "value", scale: true, split: false, axisLabel: { show: false }, axisLine: { show: false }, ...more });
      const narrow = element.clientWidth < 560;
      return {
        ...base(),
        grid: { left: narrow ? 50 : 110, right: narrow ? 50 : 110, top: 24, bottom: 8 }, // room for names at the edges
        xAxis: plain({}),
        yAxis: plain({}),
        series: [
          ...Object.entries(found.points).map(([name, data]) => ({
            name: names.get(name) || name, data, type: "scatter", symbolSize: narrow ? 3 : 5, silent: true,
            itemStyle: { opacity: 0.55 }, color: colour(colours.get(name) ?? COLOURS - 1),
          })),
          {
            type: "scatter", symbolSize: 15, symbol: "diamond", z: 5,
            tooltip: { formatter: (one) => one.name },
            labelLayout: { hideOverlap: true, moveOverlap: "shiftY" },
            data: found.prototypes.map((one) => ({
              name: one.label || one.name, value: one.at,
              itemStyle: { color: colour(colours.get(one.name) ?? COLOURS - 1), borderColor: style("--ground"), borderWidth: 2 },
            })),
            label: {
              show: true, position: "top", fontSize: 11, fontWeight: 600, color: style("--text"), textBorderColor: style("--ground"),
              textBorderWidth: 3, formatter: (one) => short(one.name, narrow ? 16 : 34),
            },
          },
        ],
      };
    },
  };

  function draw(element, size) {
    drawn.get(element)?.dispose();
    const dimension = report.dimensions[Number(element.dataset.number)];
    const made = echarts.init(element, null, { renderer: "svg", ...size });
    made.setOption(builders[element.dataset.chart](dimension, element));
    drawn.set(element, made);
    element.dataset.drawn = "true";
  }
  const charts = () => [...document.querySelectorAll(".chart")];
  const visible = (element) => element.clientWidth > 0;
  const drawMissing = () => charts().filter((one) => visible(one) && !drawn.has(one)).forEach((one) => draw(one));
  const drawAgain = () => charts().filter(visible).forEach((one) => draw(one));

  function select(chosen) {
    for (const tab of document.querySelectorAll("[role=tab]")) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
    drawMissing();
  }
  const tabs = [...document.querySelectorAll("[role=tab]")];
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      next.focus();
      select(next);
    });
  });

  function sort(table, column, descending) {
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const numeric = [...table.tBodies[0].rows].every((row) => row.cells[column].classList.contains("number"));
    const sign = descending ? -1 : 1;
    const rows = [...table.tBodies[0].rows].sort((a, b) =>
      sign * (numeric ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b), "en")));
    table.tBodies[0].append(...rows);
    [...table.tHead.rows[0].cells].forEach((head, place) =>
      head.setAttribute("aria-sort", place !== column ? "none" : descending ? "descending" : "ascending"));
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const first = table.tBodies[0].rows[0];
      const numeric = first !== undefined && first.cells[column].classList.contains("number");
      sort(table, column, now === "none" ? numeric : now === "ascending");
    }));
  }

  root.classList.add("scripted");
  if (tabs.length) select(tabs[0]);
  drawMissing();
  let waiting = 0;
  let width = window.innerWidth; // phones change the height alone when their bars come and go
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(drawAgain);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAgain);
  window.addEventListener("beforeprint", () => {
    root.dataset.theme = "light";
    const hidden = [...document.querySelectorAll(".panel[hidden]")];
    hidden.forEach((one) => { one.hidden = false; one.dataset.shown = "print"; });
    for (const one of charts()) {
      const width = Math.min(PRINT_WIDTH_PX, one.parentElement.clientWidth || PRINT_WIDTH_PX);
      draw(one, { width, height: PRINT_HEIGHTS_PX[one.dataset.chart] || PRINT_HEIGHT_PX });
    }
  });
  window.addEventListener("afterprint", () => {
    delete root.dataset.theme;
    document.querySelectorAll("[data-shown=print]").forEach((one) => { one.hidden = true; delete one.dataset.shown; });
    drawAgain();
  });
})();
