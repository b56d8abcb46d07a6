// A file dropped anywhere goes to the upload that reads it: an image to the Try page's, weights to the Library's.
(() => {
  // Fields that take files of their own.
  const OWN = '.image-input, #train-form';
  const NAMES = /\.(safetensors|ckpt|pt|pth|bin)$/i;
  const TAKES = [
    { is: (item) => /^image\/(png|jpeg|webp)$/.test(item.type), named: () => true, input: 'input[type=file]:has(+ #drop)' },
    // Browsers know no type of weights, and tell the name only once the file is dropped.
    {
      is: (item) => ['', 'application/octet-stream', 'application/zip'].includes(item.type),
      named: (file) => NAMES.test(file.name),
      input: 'input[type=file]:has(+ #add-file)',
    },
  ];
  const taker = (event) => {
    const files = [...event.dataTransfer.items].filter((item) => item.kind === 'file');
    return event.target.closest(OWN) ? undefined
      : TAKES.find((each) => document.querySelector(each.input) && files.some(each.is));
  };
  const mark = (isOver) => document.documentElement.classList.toggle('dropping', isOver);
  document.addEventListener('dragover', (event) => {
    const takes = taker(event);
    mark(takes !== undefined);
    if (takes) { event.preventDefault(); event.dataTransfer.dropEffect = 'copy'; }
  });
  document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) { mark(false); } });
  document.addEventListener('drop', (event) => {
    mark(false);
    const takes = taker(event);
    if (!takes) { return; }
    // Whatever it is: the browser would leave the page for it.
    event.preventDefault();
    const file = [...event.dataTransfer.files].find((each) => takes.is(each) && takes.named(each));
    if (!file) { return; }
    const one = new DataTransfer();
    one.items.add(file);
    const input = document.querySelector(takes.input);
    input.files = one.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
})();
