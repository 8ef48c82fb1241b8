/** The version of the Python package this bundle was built for (build.mjs). */
declare const __VERSION__: string;

declare module "*.css" {
  const text: string;
  export default text;
}
