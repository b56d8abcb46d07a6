// An image dropped anywhere goes to the Try page's upload, which reads how it was made.
(() => {
  // Fields that take images of their own.
  const OWN = '.image-input, #train-form';
  const isMine = (event) => !event.target.closest(OWN)
    && [...event.dataTransfer.items].some((item) => item.kind === 'file' && /^image\/(png|jpeg|webp)$/.test(item.type));
  const mark = (isOver) => document.documentElement.classList.toggle('dropping', isOver);
  document.addEventListener('dragover', (event) => {
    mark(isMine(event));
    if (isMine(event)) { event.preventDefault(); event.dataTransfer.dropEffect = 'copy'; }
  });
  document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) { mark(false); } });
  document.addEventListener('drop', (event) => {
    mark(false);
    const input = document.querySelector('input[type=file]:has(+ #drop)');
    if (!input || !isMine(event)) { return; }
    event.preventDefault();
    const one = new DataTransfer();
    one.items.add([...event.dataTransfer.files].find((file) => file.type.startsWith('image/')));
    input.files = one.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
})();
