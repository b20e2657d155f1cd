"""What a browser's translation does to a page: text nodes are replaced by translated ones inside two <font>, now and later."""

# The old text node is out of the page from then on: whoever has kept it writes into nothing.
TRANSLATION = """() => {
    const own = new WeakSet(), skipped = '[translate=no], .notranslate, script, style, noscript, textarea, svg';
    window.translatedTexts = 0;
    function translate(text) {
        const parent = text.parentElement;
        if (own.has(text) || !parent || parent.closest(skipped) || !/\\p{L}|\\p{N}/u.test(text.data)) return;
        const fresh = new Text(text.data.replace(/(\\p{L}+)/gu, '$1ski')), [outer, inner] = [0, 0].map(() => {
            const font = document.createElement('font');
            font.style.verticalAlign = 'inherit';
            return font;
        });
        own.add(fresh);
        inner.append(fresh);
        outer.append(inner);
        text.replaceWith(outer);
        window.translatedTexts += 1;
    }
    function walk(root) {
        if (root.nodeType === Node.TEXT_NODE) return translate(root);
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), found = [];
        while (walker.nextNode()) found.push(walker.currentNode);
        found.forEach(translate);
    }
    const changed = new Set();
    let timer = 0;
    new MutationObserver(records => {
        for (const { type, target, addedNodes } of records) {
            if (type === 'characterData') own.delete(target);
            for (const node of type === 'characterData' ? [target] : addedNodes) changed.add(node);
        }
        timer ||= setTimeout(() => {
            timer = 0;
            const nodes = [...changed];
            changed.clear();
            for (const node of nodes) if (node.isConnected) walk(node);
        }, 30);
    }).observe(document.documentElement, { childList: true, characterData: true, subtree: true });
    walk(document.documentElement);
    document.documentElement.classList.add('translated-ltr');
}"""
