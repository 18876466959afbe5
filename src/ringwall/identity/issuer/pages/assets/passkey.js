// Passkeys (Web Authentication, level 3): the one thing for which pages need a script.
//
// A form with `data-passkey` (`get` or `create`) and `data-options` asks the browser for one, writes its answer into the
// field `passkey`, and is sent like any other form. Nothing is fetched. Without this script such forms stay hidden.
"use strict";

const REFUSED = "Your device gave no passkey. Try again, or use another way.";
const KNOWN = "This device holds a passkey for this account already.";

function bytes(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function optionsOf(form) {
  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  if (options.user) {
    options.user.id = bytes(options.user.id);
  }
  for (const list of [options.allowCredentials, options.excludeCredentials]) {
    for (const credential of list || []) {
      credential.id = bytes(credential.id);
    }
  }
  return options;
}

function answerOf(credential) {
  const response = { clientDataJSON: text(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) {
      response[name] = text(credential.response[name]);
    }
  }
  if (credential.response.getTransports) {
    response.transports = credential.response.getTransports();
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: {},
    response,
  });
}

let waiting = null; // what the browser offers while somebody types their name

async function ask(form, more) {
  const publicKey = optionsOf(form);
  const create = form.dataset.passkey === "create";
  const credential = create
    ? await navigator.credentials.create({ publicKey, ...more })
    : await navigator.credentials.get({ publicKey, ...more });
  form.elements.passkey.value = answerOf(credential);
  form.submit();
}

async function onSubmit(event) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  const message = form.querySelector("[role=alert]");
  button.disabled = true;
  message.textContent = "";
  if (waiting) {
    waiting.abort();
    waiting = null;
  }
  try {
    await ask(form, {});
  } catch (error) {
    message.textContent = error.name === "InvalidStateError" ? KNOWN : REFUSED;
    button.disabled = false;
    button.focus();
  }
}

async function offerWhileTyping(form) {
  const offers = PublicKeyCredential.isConditionalMediationAvailable;
  if (!offers || !(await PublicKeyCredential.isConditionalMediationAvailable())) {
    return;
  }
  waiting = new AbortController();
  try {
    await ask(form, { mediation: "conditional", signal: waiting.signal });
  } catch {
    // Nobody chose one; the form's button is still there.
  }
}

const AT_ONCE = 2000; // milliseconds in which a form is sent once, whoever clicks twice
let sent = -AT_ONCE;

document.addEventListener("submit", (event) => {
  if (event.target.dataset.passkey) {
    return;
  }
  if (event.timeStamp - sent < AT_ONCE) {
    event.preventDefault();
  } else {
    sent = event.timeStamp;
  }
});

if (window.PublicKeyCredential) {
  for (const part of document.querySelectorAll("[data-needs-passkeys]")) {
    part.hidden = false;
  }
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.addEventListener("submit", onSubmit);
  }
  const offered = document.querySelector("form[data-passkey=get][data-while-typing]");
  if (offered) {
    offerWhileTyping(offered);
  }
}
