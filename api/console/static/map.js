// Draws a figure `.map[data-map]` from the JSON block inside it: land, regions, routes, sites.
// Every route and site is an element of its own, with `data-*` attributes and a title.
(() => {
  "use strict";
  const WIDTH = 1120;
  const HEIGHT = 550;
  const SOUTH = -46;
  const NORTH = 77;
  const GAP = 19;
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const ROTATIONS = [-11, -150];
  const RADIUS = { central: 8, forward: 8, bonded: 8, return: 5.5, supplier: 5, port: 4 };

  function element(name, attributes, parent) {
    const made = document.createElementNS(NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    if (parent) parent.appendChild(made);
    return made;
  }

  function title(parent, text) {
    element("title", {}, parent).textContent = text;
  }

  function shapePath(tier, r) {
    const point = (angle, radius) =>
      `${(Math.cos(angle) * radius).toFixed(2)},${(Math.sin(angle) * radius).toFixed(2)}`;
    const polygon = (corners, radius, turn) =>
      "M" + Array.from({ length: corners }, (_, i) => point(turn + (i * 2 * Math.PI) / corners, radius)).join("L") + "Z";
    const shapes = {
      central: () => polygon(4, r * 1.25, Math.PI / 4),
      forward: () => polygon(3, r * 1.3, -Math.PI / 2),
      bonded: () => polygon(4, r * 1.25, 0),
      supplier: () => polygon(6, r * 1.1, 0),
    };
    const circle = `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`;
    return shapes[tier] ? shapes[tier]() : circle;
  }

  // A map that cuts fewest routes at its edge.
  function bestRotation(routes) {
    const cut = (rotation) => {
      const edge = ((((180 - rotation) % 360) + 540) % 360) - 180;
      const side = (lon) => (((lon - edge) % 360) + 360) % 360;
      let crossings = 0;
      for (const route of routes) {
        const line = route.path.length > 2 ? route.path : greatCircle(route.path);
        for (let i = 1; i < line.length; i += 1) {
          if (Math.abs(side(line[i][0]) - side(line[i - 1][0])) > 180) crossings += 1;
        }
      }
      return crossings;
    };
    return ROTATIONS.reduce((best, one) => (cut(one) < cut(best) ? one : best));
  }

  function greatCircle(path) {
    const between = d3.geoInterpolate(path[0], path[path.length - 1]);
    return Array.from({ length: 25 }, (_, i) => between(i / 24));
  }

  function projectionFor(routes) {
    const projection = d3.geoNaturalEarth1().rotate([bestRotation(routes), 0]);
    const center = -projection.rotate()[0];
    const rim = [];
    for (let step = -176; step <= 176; step += 8) {
      rim.push([center + step, SOUTH], [center + step, NORTH]);
    }
    projection.fitExtent([[6, 6], [WIDTH - 6, HEIGHT - 6]], { type: "MultiPoint", coordinates: rim });
    return projection.clipExtent([[0, 0], [WIDTH, HEIGHT]]);
  }

  // Pushes markers apart that would cover each other; the true place keeps a leader line.
  function spread(places) {
    for (let round = 0; round < 60; round += 1) {
      for (let i = 0; i < places.length; i += 1) {
        for (let j = 0; j < i; j += 1) push(places[i], places[j]);
      }
    }
    return places;
  }

  function push(a, b) {
    const gap = (GAP * (a.radius + b.radius)) / 16;
    let dx = a.x - b.x;
    let dy = a.y - b.y;
    const distance = Math.hypot(dx, dy);
    if (distance >= gap) return;
    if (distance < 0.01) [dx, dy] = [1, 0.6];
    const share = (gap - distance) / 2 / (Math.hypot(dx, dy) || 1);
    a.x += dx * share;
    a.y += dy * share;
    b.x -= dx * share;
    b.y -= dy * share;
  }

  function overlaps(box, boxes) {
    return boxes.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]);
  }

  function placeLabels(places) {
    const taken = places.map((p) => [p.x - p.radius - 1, p.y - p.radius - 1, p.x + p.radius + 1, p.y + p.radius + 1]);
    for (const place of places.filter((p) => p.hub)) {
      const width = place.name.length * 6.7 + 4;
      const options = [
        [12, 4, "start"], [-12, 4, "end"], [0, 23, "middle"], [0, -13, "middle"],
        [12, 18, "start"], [-12, -10, "end"], [12, -10, "start"], [-12, 18, "end"],
      ];
      const boxOf = ([dx, dy, anchor]) => {
        const left = place.x + dx - (anchor === "end" ? width : anchor === "middle" ? width / 2 : 0);
        return [left, place.y + dy - 11, left + width, place.y + dy + 3];
      };
      const free = options.find((option) => {
        const box = boxOf(option);
        return box[0] > 2 && box[2] < WIDTH - 2 && !overlaps(box, taken);
      }) || options[0];
      place.label = free;
      taken.push(boxOf(free));
    }
  }

  function drawRoute(group, route, path, peak) {
    const kind = route.kind === "flow" ? "flow" : "lane";
    const holder = element("g", {
      class: "route", "data-from": route.from, "data-to": route.to,
      "data-service": route.service, "data-quantity": route.quantity,
    }, group);
    const line = { type: "LineString", coordinates: route.path };
    const shape = path(line);
    if (!shape) return;
    const width = kind === "flow" ? 0.8 + 5.2 * Math.sqrt(route.quantity / peak) : null;
    element("path", {
      class: kind, d: shape, "data-mode": route.mode, "data-from": route.from,
      "data-to": route.to, "stroke-width": width,
    }, holder);
    element("path", { class: "hit", d: shape }, holder);
    title(holder, route.title);
  }

  function drawSite(layer, place) {
    const link = element("a", {
      class: "site", href: place.href, "data-site": place.id, "data-tier": place.tier,
      "data-status": place.status, "aria-label": place.title.replaceAll("\n", ", "),
      transform: `translate(${place.x.toFixed(1)},${place.y.toFixed(1)})`,
    }, layer);
    if (place.hub) link.setAttribute("data-hub", "true");
    element("path", { class: `shape ${place.tier}`, d: shapePath(place.tier, place.radius) }, link);
    if (place.label) {
      const [dx, dy, anchor] = place.label;
      element("text", { x: dx, y: dy, "text-anchor": anchor }, link).textContent = place.name;
    }
    title(link, place.title);
    return link;
  }

  function lightRoutes(svg, site) {
    for (const route of svg.querySelectorAll(".route")) {
      const touches = route.dataset.from === site || route.dataset.to === site;
      route.classList.toggle("lit", Boolean(site) && touches);
      route.classList.toggle("dim", Boolean(site) && !touches);
    }
  }

  function drawRegions(svg, regions, project) {
    const layer = element("g", { class: "regions" }, svg);
    for (const region of regions) {
      const at = project([region.lon, region.lat]);
      if (!at) continue;
      const dot = element("circle", {
        class: region.quantity ? "region served" : "region", cx: at[0].toFixed(1),
        cy: at[1].toFixed(1), r: 2.6, "data-region": region.id,
      }, layer);
      title(dot, region.title);
    }
  }

  function drawSites(svg, sites, project) {
    const places = sites.map((site) => {
      const [x, y] = project([site.lon, site.lat]) || [-99, -99];
      return { ...site, x, y, trueX: x, trueY: y, radius: RADIUS[site.tier] || 5 };
    });
    placeLabels(spread(places));
    const leaders = element("g", {}, svg);
    const layer = element("g", { class: "sites" }, svg);
    for (const place of places.reverse()) {
      if (Math.hypot(place.x - place.trueX, place.y - place.trueY) > 3) {
        element("line", { class: "leader", x1: place.trueX, y1: place.trueY, x2: place.x, y2: place.y }, leaders);
      }
      const link = drawSite(layer, place);
      link.addEventListener("mouseenter", () => lightRoutes(svg, place.id));
      link.addEventListener("focus", () => lightRoutes(svg, place.id));
      link.addEventListener("mouseleave", () => lightRoutes(svg, ""));
      link.addEventListener("blur", () => lightRoutes(svg, ""));
    }
  }

  function draw(figure, world, data) {
    const svg = element("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": figure.dataset.label || "World map",
    });
    const projection = projectionFor(data.routes);
    const path = d3.geoPath(projection).digits(1);
    element("path", { class: "graticule", d: path(d3.geoGraticule().step([20, 20])()) }, svg);
    const countries = topojson.feature(world, world.objects.countries);
    const settled = { ...countries, features: countries.features.filter((one) => one.id !== "010") };
    element("path", { class: "land", d: path(settled) }, svg);
    drawRegions(svg, data.regions, projection);
    const routes = element("g", { class: "routes" }, svg);
    const peak = Math.max(1, ...data.routes.map((route) => route.quantity || 0));
    for (const route of data.routes) drawRoute(routes, route, path, peak);
    drawSites(svg, data.sites, projection);
    figure.querySelector(".canvas").replaceChildren(svg);
    figure.dataset.state = "ready";
  }

  async function start(figure) {
    const [world, data] = await Promise.all([
      fetch("/static/vendor/countries-110m.json").then((answer) => answer.json()),
      figure.dataset.source
        ? fetch(figure.dataset.source).then((answer) => answer.json())
        : Promise.resolve(JSON.parse(figure.querySelector("script").textContent)),
    ]);
    draw(figure, world, data);
  }

  for (const figure of document.querySelectorAll("[data-map]")) start(figure);
})();
