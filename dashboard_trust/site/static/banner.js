"use strict";
(() => {
  const banner = document.getElementById("readiness");
  const { dashboard, shown } = banner.dataset;
  const HOUR = 3600e3;
  const REASONS = 3;

  const day = (partition) => {
    const moment = new Date(`${partition}T00:00:00Z`);
    if (!/^\d{4}-\d{2}-\d{2}$/.test(partition) || isNaN(moment)) return String(partition);
    // In two parts: browsers disagree on the comma between them.
    const part = (options) => moment.toLocaleDateString("en-GB", { ...options, timeZone: "UTC" });
    return `${part({ weekday: "long" })}, ${part({ day: "numeric", month: "long", year: "numeric" })}`;
  };
  const count = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"}`;
  const duration = (age) => {
    const minutes = Math.floor(age / 60e3);
    if (minutes < 60) return count(minutes, "minute");
    const hours = Math.floor(age / HOUR);
    return hours < 48 ? count(hours, "hour") : count(Math.floor(hours / 24), "day");
  };
  const checked = (age) => (age < 60e3 ? "just now" : `${duration(age)} ago`);

  // What is said for each word: [headline, detail], with the day judged and the day shown.
  const newer = {
    BLOCKED: (d, s) => [`The figures for ${d} are held`,
      `Something arrived that did not pass its checks. You see ${s}, the last day that did.`],
    DELAYED: (d, s) => [`The figures for ${d} are late`,
      `Data is missing or out of date, past the promised time. You see ${s} until it is complete.`],
    WAITING: (d, s) => [`The figures for ${d} are on their way`,
      `Not everything has arrived yet, and it is not late. You see ${s} until then.`],
    PARTIAL: (d, s) => [`The figures for ${d} are nearly complete`,
      `One part of the page has nothing new yet. You see ${s} until ${d} is published.`],
    READY: (d, s) => [`The figures for ${d} are ready`,
      `They are being published. You see ${s}; reload this page in a minute.`],
  };
  const same = {
    BLOCKED: (d) => [`A newer version of ${d} is held`,
      "Something arrived that did not pass its checks. You see the last version that did."],
    DELAYED: (d) => [`A newer version of ${d} is late`,
      "Data is missing or out of date, past the promised time. You see the last version that was complete."],
    WAITING: (d) => [`A newer version of ${d} is on its way`,
      "Not everything has arrived yet, and it is not late. You see the last version that was complete."],
    PARTIAL: (d) => [`Part of this page is from an earlier day`,
      `The figures for ${d} passed their checks, apart from the part labelled below.`],
  };
  const unknown = (why) => ({
    state: "UNKNOWN",
    headline: "Readiness is unknown",
    detail: `${why} You see ${day(shown)}, the last day that was published.`,
  });

  const judge = (word, age) => {
    if (!word) return unknown("No word on this dashboard could be read.");
    const limit = word.unknown_after_hours * HOUR;
    if (!(age <= limit && age > -HOUR)) {
      return unknown(age > limit
        ? `The last check was ${duration(age)} ago, too long to rely on.`
        : "The time of the last check makes no sense.");
    }
    if (word.readiness === "UNKNOWN") return unknown("The evidence could not be read.");
    if (word.partition === shown && word.readiness === "READY") return { state: "READY" };
    const says = (word.partition === shown ? same : newer)[word.readiness];
    if (!says || !word.partition || word.partition < shown) {
      return unknown("The last check was about another day.");
    }
    const [headline, detail] = says(day(word.partition), day(shown));
    return { state: word.readiness, headline, detail };
  };

  const text = (selector, content) => {
    const element = banner.querySelector(selector);
    element.textContent = content;
    element.hidden = !content;
  };
  const reasonLine = (reason) => {
    const item = document.createElement("li");
    const place = [reason.asset, reason.partition, reason.check].filter(Boolean).join(" · ");
    const where = document.createElement("span");
    where.className = "place";
    where.textContent = place;
    item.append(`${reason.reason} `, where);
    return item;
  };
  const showReasons = (reasons) => {
    const list = banner.querySelector(".reasons");
    list.replaceChildren(...reasons.slice(0, REASONS).map(reasonLine));
    if (reasons.length > REASONS) {
      const more = document.createElement("li");
      more.textContent = `and ${reasons.length - REASONS} more`;
      list.append(more);
    }
    list.hidden = reasons.length === 0;
  };
  const who = (word, age) => {
    const owners = [...new Set([...word.reasons.map((r) => r.owner), ...word.owners].filter(Boolean))];
    const on = owners.length ? `${owners.join(", ")} ${owners.length > 1 ? "are" : "is"} on it. ` : "";
    return `${on}Checked ${checked(age)}.`;
  };

  // What was shown of a day and is not any more stays said, also while all is READY.
  const showCorrections = (corrections) => {
    const box = document.getElementById("corrections");
    box.querySelector("ul").replaceChildren(...corrections.map(({ partition, said }) => {
      const item = document.createElement("li");
      item.textContent = `${day(partition)}: ${said}`;
      return item;
    }));
    box.hidden = corrections.length === 0;
  };

  const show = () => {
    const word = window.dashboardTrust?.[dashboard];
    const age = Date.now() - Date.parse(word?.evaluated_at);
    showCorrections(word?.corrections ?? []);
    const { state, headline, detail } = judge(word, age);
    banner.dataset.state = state;
    banner.hidden = !headline;
    if (!headline) return;
    // The reasons of a word too old to rely on are too old as well.
    const current = state !== "UNKNOWN" || word?.readiness === "UNKNOWN";
    const holds = !["READY", "PARTIAL"].includes(state);
    text(".state", state);
    text(".headline", headline);
    text(".detail", detail);
    text(".message", current && holds && word ? word.message : "");
    showReasons(current && word ? word.reasons : []);
    text(".who", current && word && !isNaN(age) ? who(word, age) : "");
  };
  const refresh = () => {
    try {
      show();
    } catch {
      banner.dataset.state = "UNKNOWN";
      banner.hidden = false;
      text(".state", "UNKNOWN");
      text(".headline", "Readiness is unknown");
      text(".detail", unknown("The word on this dashboard could not be read.").detail);
      text(".message", "");
      showReasons([]);
      text(".who", "");
    }
  };
  refresh();
  // A page left open overnight must not go on saying what was true yesterday.
  setInterval(refresh, 60e3);
})();
