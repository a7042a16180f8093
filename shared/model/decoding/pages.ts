/**
 * Keys and values of positions, in pages of wasm memory (kernels/decode/attend.ts). Sequences with a common beginning share
 * pages. A page has one owner per sequence that holds it, and is freed with the last.
 */
import type { KernelContext } from "../../tensor/engine/kernel-context.ts";
import type { Pointer } from "../../tensor/engine/wasm-runtime.ts";

export interface Page {
  readonly address: Pointer;
  owners: number;
}

export class Pages {
  readonly #context: KernelContext;
  /** Bytes of a page. */
  readonly bytes: number;

  constructor(context: KernelContext, bytes: number) {
    this.#context = context;
    this.bytes = bytes;
  }

  /** A new page with one owner. */
  take(): Page {
    return { address: this.#context.allocate(this.bytes), owners: 1 };
  }

  share(page: Page): Page {
    page.owners++;
    return page;
  }

  release(page: Page): void {
    page.owners--;
    if (page.owners === 0) this.#context.free(page.address);
  }

  /** A page that only the caller owns, with the same values. Consumes the caller's share of `page`. */
  owned(page: Page): Page {
    if (page.owners === 1) return page;
    const copy = this.take();
    this.#context.copy(page.address, copy.address, this.bytes);
    this.release(page);
    return copy;
  }
}
