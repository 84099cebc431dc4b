// Shows who is signed in to each proxy, begins a sign-in with a browser, and hands a pasted token over. Values are inserted only as text.

const REMIND_BELOW_S = 600;
const INTERVAL_MS = 5000;

const problem = document.getElementById("problem");
const sections = new Map();

function say(text) {
  problem.textContent = text;
  problem.hidden = text === "";
}

async function order(path, fields) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Cupbearer": "1" },
    body: JSON.stringify(fields),
  });
  const text = await response.text();
  if (!response.ok) {
    let detail = text;
    try {
      detail = JSON.parse(text).detail ?? text;
    } catch {
      // a line of text
    }
    throw new Error(detail);
  }
  return JSON.parse(text);
}

/** Only an address on this machine is opened. */
function goTo(address) {
  const url = new URL(address);
  if (url.protocol !== "http:" || !/^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(url.hostname)) throw new Error("the address is not on this machine");
  location.assign(url);
}

function sectionOf(name) {
  const known = sections.get(name);
  if (known) return known;
  const section = document.getElementById("proxy").content.cloneNode(true).firstElementChild;
  const field = section.querySelector("textarea");
  const give = async (path, fields) => {
    try {
      const result = await order(path, fields);
      say(result.problem ? `Note: ${result.problem}` : "");
      if (result.start_url) goTo(result.start_url);
      else await refresh();
    } catch (error) {
      say(`Nothing has changed: ${error.message}`);
    }
  };
  section.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = field.value;
    field.value = "";
    give("/token/paste", { proxy: name, token });
  });
  section.querySelector(".begin").addEventListener("click", () => give("/login", { proxy: name }));
  for (const button of section.querySelectorAll(".out")) button.addEventListener("click", () => give("/logout", { proxy: name }));
  const answer = (fields) => give("/login", { proxy: name, login: section.dataset.login, ...fields });
  section.querySelector(".confirm").addEventListener("click", () => answer({ confirm: true }));
  section.querySelector(".keep").addEventListener("click", () => answer({ cancel: true }));
  section.querySelector("h2").textContent = name;
  document.getElementById("proxies").append(section);
  sections.set(name, section);
  return section;
}

function duration(seconds) {
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min` : `${seconds} s`;
}

function stateOf(token) {
  if (token.awaited_sign_in) return "The changed configuration waits until somebody signs in. Until then, the previous one stays in use.";
  const person = token.sign_in.who ?? "someone (the token has no name)";
  if (token.usable_for_s === 0 && token.sign_in.is_renewed) return `Signed in as ${person}, but there is no valid token: ${token.last_error ?? "it is being renewed"}.`;
  if (token.usable_for_s === 0) return "Nobody is signed in, or the token has ended. Requests get an error until you sign in.";
  if (token.sign_in.is_renewed) return `Signed in as ${person}. New tokens are obtained until you sign out.`;
  if (!token.expires_at) return `Signed in as ${person}, until the API rejects the token.`;
  return `Signed in as ${person}, for another ${duration(token.usable_for_s)} (until ${token.expires_at}).`;
}

/** Asks whether someone else is to be signed in. What is on the page is kept, so that no button moves under a click. */
function showChange(section, change) {
  section.querySelector(".change").hidden = !change;
  if (!change || section.dataset.login === change.login) return;
  section.dataset.login = change.login;
  const before = change.before ?? "someone";
  const text = change.who
    ? `${change.who} has signed in, but ${before} is signed in here. If you go on, ${before} is signed out.`
    : `Someone whose token has no name has signed in, but ${before} is signed in here. If you go on, ${before} is signed out.`;
  section.querySelector(".change span").textContent = text;
  section.querySelector(".confirm").textContent = change.who ? `Sign in as ${change.who}` : "Sign in";
}

function show(proxy, isOnly) {
  const { awaited_sign_in: awaited, sign_in: live } = proxy.token;
  const token = { ...proxy.token, sign_in: awaited ?? live };
  const section = sectionOf(proxy.name);
  section.querySelector("h2").hidden = isOnly;
  const isBrowser = token.sign_in.way === "browser";
  const isDevice = token.sign_in.way === "device";
  section.querySelector("form").hidden = isBrowser || isDevice;
  section.querySelector(".device").hidden = !isDevice;
  section.querySelector(".browser").hidden = !isBrowser;
  const hasSession = Boolean(live) && (token.usable_for_s > 0 || live.is_renewed);
  const isSignedIn = hasSession && !awaited;
  const isSoon = isSignedIn && !token.sign_in.is_renewed && token.expires_at && token.usable_for_s <= REMIND_BELOW_S;
  const state = section.querySelector(".state");
  const text = isSoon ? `${stateOf(token)} Sign in again before that.` : stateOf(token);
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("soon", Boolean(isSoon));
  const doubts = section.querySelector(".doubts");
  const list = token.sign_in.doubts ?? [];
  doubts.hidden = list.length === 0;
  doubts.replaceChildren(...list.map((doubt) => Object.assign(document.createElement("li"), { textContent: `About this token: ${doubt}.` })));
  showChange(section, token.unconfirmed_sign_in);
  const url = token.sign_in.login_url;
  section.querySelector(".copy").hidden = !url;
  if (url && /^https?:/.test(url)) {
    const link = section.querySelector(".copy a");
    link.href = url;
    link.textContent = url;
    section.querySelector(".step").textContent = "2. Paste the token here:";
  }
  for (const button of section.querySelectorAll(".out")) button.hidden = !hasSession;
  if (!isSignedIn) return "Sign in";
  return isSoon ? `Sign in again: ${duration(token.usable_for_s)} left` : "Signed in";
}

async function refresh() {
  const response = await fetch("/status");
  if (!response.ok) throw new Error(`cupbearer responded with ${response.status}`);
  const { proxies } = await response.json();
  const ofPeople = proxies.filter(({ token }) => token.sign_in ?? token.awaited_sign_in);
  const list = document.getElementById("proxies");
  if (sections.size === 0) list.replaceChildren();
  if (ofPeople.length === 0) {
    list.textContent = "cupbearer obtains its tokens itself: token.grant is none of \"authorization_code\", \"device_code\" and \"paste\", so there is nothing to do here.";
    return;
  }
  const titles = ofPeople.map((proxy) => show(proxy, ofPeople.length === 1));
  const title = titles.find((one) => one !== "Signed in") ?? "Signed in";
  document.title = `${title}: cupbearer`;
}

async function follow() {
  try {
    await refresh();
  } catch {
    document.title = "No connection: cupbearer";
  }
  setTimeout(follow, INTERVAL_MS);
}

follow();
