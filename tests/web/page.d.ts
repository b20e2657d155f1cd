// What the modules find in the window.
interface Window {
  ganPage: import("../../gan_core/ui/web/page.js").GanPage;
  ganPlayground: typeof import("../../gan_core/ui/web/playground.js").playground;
  /** BokehJS, which ships no types. */
  Bokeh: any;
}
