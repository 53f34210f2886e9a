/* Slugline: the "Get short URL" button. Asks when pressed, never before; no cookies, nothing of the reader. */
(() => {
  const BASE = new URL(document.currentScript.src).origin;
  const WORDS = {
    en: ['Get short URL', 'Copied', 'Copy this address', 'There is no short URL for this page'],
    de: ['Kurzlink holen', 'Kopiert', 'Diese Adresse kopieren', 'Zu dieser Seite gibt es keinen Kurzlink'],
    ar: ['احصل على رابط قصير', 'نُسخ', 'انسخ هذا العنوان', 'لا يوجد رابط قصير لهذه الصفحة'],
  };
  const STYLE = new CSSStyleSheet();
  STYLE.replaceSync(`:host{display:inline-flex;flex-wrap:wrap;gap:.5em;align-items:center}
button{font:inherit;min-height:2em;padding:.25em .75em;cursor:pointer}
div:not(:empty){display:flex;flex-wrap:wrap;gap:.5em;align-items:center}
input{font:.9375em ui-monospace,monospace;min-height:2em;max-width:100%;padding:.25em .5em;field-sizing:content}`);
  const outs = new WeakMap();

  const words = (el) => {
    const lang = el.closest('[lang]')?.lang || navigator.language;
    return WORDS[lang.split('-')[0].toLowerCase()] || WORDS.en;
  };

  const address = () =>
    document.querySelector('link[rel~=canonical][href]')?.href ||
    document.querySelector('meta[property="og:url"]')?.content ||
    location.href;

  const root = (host) => {
    const root = host.shadowRoot || host.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [STYLE];
    return root;
  };

  const add = (to, name, set) => to.appendChild(Object.assign(document.createElement(name), set));

  // What was copied is shown and told; where it could not be, it is there to be copied by hand.
  const show = (out, el, url, copied) => {
    const said = words(el);
    out.replaceChildren();
    if (url) {
      const field = add(out, 'input', { readOnly: true, value: url, ariaLabel: said[2], size: url.length });
      if (!copied) {
        field.select();
        copied = document.execCommand('copy');
      }
    }
    add(out, 'span', { textContent: url ? (copied ? el.dataset.copiedLabel || said[1] : said[2]) : said[3] });
  };

  const ask = async (page) => {
    const answer = await fetch(BASE + '/api/v1/short-url?url=' + encodeURIComponent(page), { credentials: 'omit' });
    return answer.ok ? (await answer.json()).short_url : '';
  };

  const press = async (el, out) => {
    const page = new URL(address(), location.href).href;
    const known = el.dataset.shortUrlValue;
    const asked = known ? Promise.resolve(known) : ask(page);
    let copied = false;
    try {
      // Begun at once, with what is still to come: some browsers let nobody copy later.
      const text = asked.then((url) => (url ? new Blob([url], { type: 'text/plain' }) : Promise.reject()));
      text.catch(() => {});
      await navigator.clipboard.write([new ClipboardItem({ 'text/plain': text })]);
      copied = true;
    } catch {}
    try {
      show(out, el, await asked, copied);
    } catch {
      // The page's policy, or the network, is in the way.
      open(BASE + '/-/new?url=' + encodeURIComponent(page), '_blank', 'noopener,width=560,height=640');
    }
  };

  const told = (to) => add(to, 'div', { role: 'status' });

  customElements.get('short-url') ||
    customElements.define('short-url', class extends HTMLElement {
      connectedCallback() {
        if (this.shadowRoot) return;
        const label = this.dataset.label || words(this)[0];
        const button = add(root(this), 'button', { type: 'button', textContent: label });
        const out = told(this.shadowRoot);
        button.onclick = () => press(this, out);
      }
    });

  document.addEventListener('click', (event) => {
    const el = event.target.closest?.('button[data-short-url],button[data-short-url-value]');
    if (!el) return;
    if (!outs.has(el)) {
      const host = document.createElement('span');
      el.after(host);
      outs.set(el, told(root(host)));
    }
    press(el, outs.get(el));
  });
})();
