// A canvas that plays frames one after the other.

export class Screen {
  #canvas;
  #pause;
  #waiting = [];
  #playing = false;
  // Frames that were asked for before the last cut are not shown.
  #cuts = 0;

  constructor(canvas, { height, width, frames_per_second }) {
    Object.assign(canvas, { height, width });
    canvas.style.aspectRatio = `${width} / ${height}`;
    this.#canvas = canvas;
    this.#pause = 1000 / frames_per_second;
  }

  /** Shows a frame after those that are waiting. */
  add(png) {
    this.#waiting.push(png);
    this.#play();
  }

  /** Shows a frame now, and forgets those that are waiting. */
  cut(png) {
    this.#cuts += 1;
    this.#waiting = [];
    return this.#draw(png);
  }

  async #play() {
    if (this.#playing) return;
    this.#playing = true;
    while (this.#waiting.length > 0) {
      await this.#draw(this.#waiting.shift());
      await new Promise((resolve) => setTimeout(resolve, this.#pause));
    }
    this.#playing = false;
  }

  async #draw(png) {
    const cuts = this.#cuts;
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    if (cuts !== this.#cuts) return;
    this.#canvas.getContext("2d").drawImage(image, 0, 0);
  }
}
