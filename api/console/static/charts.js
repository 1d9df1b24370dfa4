// Draws every `.chart[data-chart]` from the JSON block beside it, in the colors of the page.
(() => {
  "use strict";
  const style = () => getComputedStyle(document.documentElement);
  const color = (name) => style().getPropertyValue(`--${name}`).trim();
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const font = () => style().getPropertyValue("--sans").trim();

  function base() {
    const label = { color: color("ink-soft"), fontFamily: font(), fontSize: 12 };
    return {
      animation: false,
      textStyle: { fontFamily: font(), color: color("ink") },
      grid: { left: 8, right: 16, top: 36, bottom: 8, containLabel: true },
      tooltip: {
        trigger: "axis", renderMode: "richText", confine: true, backgroundColor: color("paper"),
        borderColor: color("line-strong"), textStyle: { color: color("ink"), fontFamily: font(), fontSize: 12 },
        axisPointer: { lineStyle: { color: color("line-strong") } },
      },
      legend: { top: 0, left: 0, itemWidth: 14, itemHeight: 8, icon: "roundRect", textStyle: label },
      axis: { axisLabel: label, axisTick: { show: false }, axisLine: { lineStyle: { color: color("line-strong") } } },
      value: {
        type: "value", axisLabel: { ...label, formatter: (value) => compact.format(value) },
        splitLine: { lineStyle: { color: color("line") } },
      },
    };
  }

  function band(name, low, high, shade, opacity) {
    const hidden = { lineStyle: { opacity: 0 }, symbol: "none", silent: true };
    return [
      { name: `${name} floor`, type: "line", data: low, stack: name, tooltip: { show: false }, ...hidden },
      {
        name, type: "line", data: high.map((value, i) => [value[0], value[1] - low[i][1]]), stack: name,
        areaStyle: { color: shade, opacity }, itemStyle: { color: shade, opacity }, ...hidden,
      },
    ];
  }

  const monday = (day) => new Date(Date.parse(day) - ((new Date(day).getUTCDay() + 6) % 7) * 864e5).toISOString().slice(0, 10);

  // The events of each week on the time axis, named.
  function eventWeeks(data) {
    const shown = new Set([...data.history, ...data.forecast].map((row) => row.start));
    const weeks = new Map();
    for (const event of data.events || []) {
      for (let day = monday(event.start); day <= event.end; day = monday(new Date(Date.parse(day) + 7 * 864e5))) {
        if (shown.has(day)) weeks.set(day, [...(weeks.get(day) || []), event.event]);
      }
    }
    return weeks;
  }

  // History as a line, then the forecast as a fan of quantiles around its median (a mean alone
  // where quantiles are not known), events on the axis, and what statistics said where overridden.
  function fan(data) {
    const frame = base();
    const points = (column) => data.forecast.map((row) => [row.start, row[column]]);
    const known = data.forecast.every((row) => row.p05 !== null);
    const middle = known ? "Median" : "Mean";
    const events = eventWeeks(data);
    const dots = data.dots || [];
    const bands = known ? [
      ...band("P5 to P95", points("p05"), points("p95"), color("harbor"), 0.16),
      ...band("P25 to P75", points("p25"), points("p75"), color("harbor"), 0.3),
    ] : [];
    const series = [
      ...bands,
      { name: middle, type: "line", symbol: "none", data: points(known ? "p50" : "mean"), lineStyle: { width: 2, color: color("harbor") }, itemStyle: { color: color("harbor") } },
      { name: "Events", type: "scatter", symbol: "triangle", symbolSize: 7, data: [...events.keys()].map((day) => [day, 0]), itemStyle: { color: color("c-duty") } },
      { name: "Before overrides", type: "scatter", symbol: "circle", symbolSize: 8, data: dots.map((row) => [row.start, row.statistical]), itemStyle: { color: color("paper"), borderColor: color("buoy"), borderWidth: 2 } },
      { name: "Sold", type: "line", symbol: "none", data: data.history.map((row) => [row.start, row.quantity]), lineStyle: { width: 1.5, color: color("ink-soft") }, itemStyle: { color: color("ink-soft") } },
    ];
    const told = (rows) => {
      const day = rows[0].value[0];
      const row = data.forecast.find((one) => one.start === day);
      const past = data.history.find((one) => one.start === day);
      const dot = dots.find((one) => one.start === day);
      return [
        `Week of ${day}`,
        ...(past && !row ? [`sold ${plain.format(past.quantity)}`] : []),
        ...(row ? [`mean ${plain.format(row.mean)}`] : []),
        ...(row && known ? [`median ${plain.format(row.p50)}`, `P25-P75 ${plain.format(row.p25)}-${plain.format(row.p75)}`, `P5-P95 ${plain.format(row.p05)}-${plain.format(row.p95)}`] : []),
        ...(dot ? [`statistics said ${plain.format(dot.statistical)}`] : []),
        ...(events.get(day) || []),
      ].join("\n");
    };
    const listed = ["Sold", middle, ...(known ? ["P25 to P75", "P5 to P95"] : []), ...(events.size ? ["Events"] : []), ...(dots.length ? ["Before overrides"] : [])];
    return {
      ...frame, series,
      xAxis: { type: "time", ...frame.axis, axisLabel: { ...frame.axis.axisLabel, formatter: "{d} {MMM}", hideOverlap: true } },
      yAxis: frame.value,
      legend: { ...frame.legend, data: listed },
      tooltip: { ...frame.tooltip, formatter: told },
    };
  }

  // What each cost part adds or saves between two runs.
  function waterfall(data) {
    const frame = base();
    let level = 0;
    const floors = [];
    const bars = data.steps.map((step) => {
      const from = step.total ? 0 : level;
      const to = step.total ? step.value : level + step.value;
      level = to;
      floors.push(Math.min(from, to));
      const shade = step.total ? color("c-fixed") : step.value > 0 ? color("c-lateness") : color("harbor");
      return { value: Math.abs(to - from), itemStyle: { color: shade }, label: { show: true, position: "top", color: color("ink-soft"), formatter: (step.value > 0 && !step.total ? "+" : "") + compact.format(step.value) } };
    });
    return {
      ...frame, legend: { show: false },
      xAxis: { type: "category", data: data.steps.map((step) => step.name), ...frame.axis, axisLabel: { ...frame.axis.axisLabel, interval: 0, width: 76, lineHeight: 14, overflow: "break" } },
      yAxis: { ...frame.value, scale: true, min: data.floor },
      tooltip: { ...frame.tooltip, formatter: (rows) => `${data.steps[rows[0].dataIndex].name}\n${plain.format(data.steps[rows[0].dataIndex].value)} ${data.currency}` },
      series: [
        { type: "bar", stack: "all", data: floors, itemStyle: { color: "transparent" }, silent: true },
        { type: "bar", stack: "all", data: bars, barWidth: "56%" },
      ],
    };
  }

  function costs(data) {
    const frame = base();
    return {
      ...frame,
      xAxis: frame.value, yAxis: { type: "category", data: data.parts.map((part) => part.label).reverse(), ...frame.axis },
      legend: { show: false }, grid: { ...frame.grid, top: 8 },
      tooltip: { ...frame.tooltip, formatter: (rows) => `${rows[0].name}\n${plain.format(rows[0].value)} ${data.currency}` },
      series: [{ type: "bar", barWidth: "60%", data: data.parts.map((part) => ({ value: part.value, itemStyle: { color: color(`c-${part.name}`), borderRadius: [0, 3, 3, 0] } })).reverse() }],
    };
  }

  // Units served and unmet by bucket as stacked columns, and stock as a line on an axis of its own.
  function buckets(data) {
    const frame = base();
    const points = (column) => data.buckets.map((row) => row[column]);
    const column = (name, key, shade) => ({ name, type: "bar", stack: "asked", data: points(key), itemStyle: { color: shade }, barWidth: "64%" });
    return {
      ...frame,
      xAxis: { type: "category", data: points("start"), ...frame.axis, axisLabel: { ...frame.axis.axisLabel, hideOverlap: true, formatter: (day) => new Date(day).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" }) } },
      yAxis: [frame.value, { ...frame.value, splitLine: { show: false } }],
      tooltip: { ...frame.tooltip, valueFormatter: (value) => plain.format(value) },
      series: [
        column("Served", "served", color("harbor")),
        column("Unmet", "unmet", color("c-unmet")),
        { name: "Stock (right)", type: "line", yAxisIndex: 1, symbol: "none", data: points("stock"), lineStyle: { width: 2, color: color("ink-soft") }, itemStyle: { color: color("ink-soft") } },
      ],
    };
  }

  const DRAWN = { fan, waterfall, costs, buckets };

  const drawn = new Map();

  function start(box) {
    const data = JSON.parse(document.getElementById(box.dataset.from).textContent);
    const chart = echarts.init(box, null, { renderer: "canvas" });
    const paint = () => chart.setOption(DRAWN[box.dataset.chart](data), true);
    paint();
    drawn.set(box, { chart, paint });
    box.dataset.state = "ready";
    new ResizeObserver(() => chart.resize()).observe(box);
  }

  // Draws what is new on the page, and lets go of charts that left it.
  function draw() {
    for (const [box, { chart }] of drawn) {
      if (!box.isConnected) {
        chart.dispose();
        drawn.delete(box);
      }
    }
    for (const box of document.querySelectorAll("[data-chart]:not([data-state])")) start(box);
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(({ paint }) => paint()));
  // A part that reads itself again may bring a chart, and the address under which it is found.
  document.addEventListener("htmx:after:swap", () => {
    draw();
    const part = document.querySelector("[data-address]");
    if (part) history.replaceState(history.state, "", part.dataset.address);
  });
})();
