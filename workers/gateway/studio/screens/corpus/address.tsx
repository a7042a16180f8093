/** An address from outside, as a link if it is a web page. Any other address stays plain text, so that no click runs a script. */
import { undeceived } from "../../frame/visible.ts";

export function Address({ url }: { url: string }) {
  const isWeb = /^https?:\/\//i.test(url);
  const shown = undeceived(url);
  return (
    <bdi>
      {isWeb ? (
        <a href={url} rel="noreferrer noopener nofollow" target="_blank">
          {shown}
        </a>
      ) : (
        shown
      )}
    </bdi>
  );
}
