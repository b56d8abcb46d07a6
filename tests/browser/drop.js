// As a browser brings a file that is dragged onto a page.
async ([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  for (const kind of ['dragenter', 'dragover', 'drop']) {
    const event = new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true });
    document.querySelector('main').dispatchEvent(event);
    // The script for it comes before a hand could let go.
    await import(document.querySelector('script[src$="navigation.js"]').src.replace('navigation', 'drop'));
  }
}
