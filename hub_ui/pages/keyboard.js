// For those who use the page by keyboard, or hear it read. Loaded once, into the head of the page.
(() => {
  // Gradio names its upload buttons otherwise than they are labelled, so that voice control can't find them.
  const nameUploads = () => {
    for (const button of document.querySelectorAll('button.upload-container[aria-label]')) {
      button.removeAttribute('aria-label');
    }
  };

  new MutationObserver(nameUploads).observe(document, { childList: true, subtree: true });
})();
